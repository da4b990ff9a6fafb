import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { whenIdle } from "./idle-watch.ts";

/** Lets a daemon be needed for so many looks, and says whether it ended while it was. */
async function endedWhileNeeded(kind: "clients" | "containers"): Promise<boolean> {
  let looks = 5;
  let ended = false;
  const isNeeded = () => looks-- > 0;
  const idle = whenIdle({
    clientsGoneSince: () =>
      kind === "clients" && isNeeded() ? undefined : performance.now() - 1000,
    isNeeded: () => kind === "containers" && isNeeded(),
    idleTime: 0.01,
  }).then(() => {
    ended = true;
  });
  let early = false;
  while (looks > 0) {
    early ||= ended;
    await delay(1);
  }
  // the watch does not keep a process; the test does
  while (!ended) await delay(1);
  await idle;
  return early;
}

test("a daemon goes on while clients are connected, and ends after them", async () => {
  assert.equal(await endedWhileNeeded("clients"), false);
});

test("a daemon goes on while containers run, and ends after them", async () => {
  assert.equal(await endedWhileNeeded("containers"), false);
});
