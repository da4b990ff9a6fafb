import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RestartPolicy } from "./model.ts";
import { isToRestart, isToStartWithDaemon, restartDelay } from "./restart-policy.ts";

function ended(
  name: RestartPolicy["name"],
  more: { exitCode?: number; restartCount?: number; stoppedByUser?: boolean; most?: number } = {},
) {
  const { exitCode = 1, restartCount = 0, stoppedByUser = false, most = 0 } = more;
  return { policy: { name, maximumRetryCount: most }, exitCode, restartCount, stoppedByUser };
}

describe("restart policy", () => {
  it("restarts what always runs whatever its exit code, unless a user stopped it", () => {
    assert.equal(isToRestart(ended("always", { exitCode: 0 })), true);
    assert.equal(isToRestart(ended("always", { stoppedByUser: true })), false);
  });

  it("restarts on failure up to its limit", () => {
    assert.equal(isToRestart(ended("on-failure", { exitCode: 0 })), false);
    assert.equal(isToRestart(ended("on-failure", { most: 2, restartCount: 1 })), true);
    assert.equal(isToRestart(ended("on-failure", { most: 2, restartCount: 2 })), false);
    assert.equal(isToRestart(ended("on-failure", { restartCount: 1000 })), true);
  });

  it("does not restart without a policy", () => {
    assert.equal(isToRestart(ended("no")), false);
    assert.equal(isToRestart({ ...ended("no"), policy: undefined }), false);
  });

  it("starts with the daemon what was stopped by a user only with always", () => {
    assert.equal(isToStartWithDaemon(ended("always", { stoppedByUser: true })), true);
    assert.equal(isToStartWithDaemon(ended("unless-stopped", { stoppedByUser: true })), false);
    assert.equal(isToStartWithDaemon(ended("unless-stopped")), true);
  });

  it("doubles the delay up to a minute, and begins again after a long run", () => {
    const delays = [0];
    for (let turn = 0; turn < 12; turn++) delays.push(restartDelay(delays.at(-1) ?? 0, 0));
    assert.deepEqual(delays.slice(1, 5), [100, 200, 400, 800]);
    assert.equal(delays.at(-1), 60_000);
    assert.equal(restartDelay(60_000, 10_000), 100);
  });
});
