import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { noDocker, TestDvmd } from "./test-dvmd.ts";

const dvmd = new TestDvmd();
const succeed = dvmd.succeed.bind(dvmd);

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let turns = 0; !(await holds()); turns++) {
    assert.ok(turns < 600, "it never came");
    await delay(100);
  }
}

const inspect = async (name: string, format: string) =>
  (await succeed("inspect", "-f", format, name)).trim();

describe("what the daemon does by itself for a container", { skip: await noDocker() }, () => {
  before(() => dvmd.start());
  after(() => dvmd[Symbol.asyncDispose]());

  it("asks for its health, and tells of each change", async () => {
    const asks = ["--health-cmd", "test -f /ok", "--health-interval", "500ms"];
    await succeed(
      ...["run", "-d", "--name", "sick", ...asks, "--health-retries", "2"],
      ...["busybox", "sleep", "1000"],
    );
    const health = (state: string) => async () =>
      (await inspect("sick", "{{.State.Health.Status}}")) === state;
    await until(health("unhealthy"));
    assert.ok(Number(await inspect("sick", "{{.State.Health.FailingStreak}}")) >= 2);
    await succeed("exec", "sick", "touch", "/ok");
    await until(health("healthy"));
    assert.equal(await inspect("sick", "{{.State.Health.FailingStreak}}"), "0");
    await succeed("rm", "-f", "sick");
  });

  it("keeps no more of its log than it was told to, and the newest of it", async () => {
    const kept = ["--log-opt", "max-size=200k", "--log-opt", "max-file=2"];
    await succeed("run", "--name", "talker", ...kept, "busybox", "seq", "1", "60000");
    const path = await inspect("talker", "{{.LogPath}}");
    const sizes = readdirSync(dirname(path))
      .filter((name) => join(dirname(path), name).startsWith(path))
      .map((name) => statSync(join(dirname(path), name)).size);
    assert.ok(sizes.length <= 2, `${sizes.length} files`);
    // a file is full when a piece of output has gone beyond its size
    const most = 2 * (200 + 256) * 1024;
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= most, `${sizes} bytes`);
    const lines = (await succeed("logs", "talker")).trim().split("\n").map(Number);
    const first = lines[0] ?? 0;
    assert.ok(first > 1, "the oldest lines are there still");
    assert.deepEqual(
      lines,
      Array.from({ length: lines.length }, (_, index) => first + index),
    );
    assert.equal(lines.at(-1), 60_000);
    await succeed("rm", "talker");
  });

  it("starts it again when it fails, as often as it may", async () => {
    await succeed("run", "-d", "--name", "again", "--restart", "on-failure:2", "busybox", "false");
    await until(async () => (await inspect("again", "{{.RestartCount}}")) === "2");
    await until(async () => (await inspect("again", "{{.State.Status}}")) === "exited");
    assert.equal(await inspect("again", "{{.State.ExitCode}}"), "1");
    await succeed("rm", "again");
  });
});
