import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasCrashedEarly, hasLockedUp, hasLostOneGuest } from "./nested-host.ts";

const ended = { output: "TAP version 13\n", fellSilent: false };
const RESULTS = "TAP version 13\n    ok 1 - starts\n# Fatal error in , line 0\n";
/** As Node's reporter writes of a test and its suite; the nested host's console ends lines by CR and LF. */
const failed = (error: string, method: string) =>
  `    not ok 1 - starts
      ---
      failureType: 'testCodeFailure'
      error: ${error}
      code: 'MACHINE_LOST'
      stack: |-
        explainLoss (file:///dvm/host/engine/boot-machine.ts:1:2)
        async ${method} (file:///dvm/host/engine/boot-machine.ts:1:2)
      ...
not ok 1 - a container
  ---
  failureType: 'subtestsFailed'
  error: '1 subtest failed'
  ...
`.replaceAll("\n", "\r\n");
const FAULT = `"the guest's processor met a triple fault"`;

describe("a nested host runs once more", () => {
  it("when its kernel locked up, or it said nothing any more", () => {
    const lockedUp = "[  9.1] watchdog: BUG: soft lockup - CPU#1 stuck for 120s!\n";
    assert.ok(hasLockedUp({ ...ended, exitCode: undefined, output: lockedUp }));
    assert.ok(hasLockedUp({ ...ended, exitCode: undefined, fellSilent: true }));
    assert.ok(!hasLockedUp({ ...ended, exitCode: undefined }));
    assert.ok(!hasLockedUp({ ...ended, exitCode: 1, output: lockedUp }));
  });

  it("when Node crashed before the first test had a result, and not for what comes later", () => {
    for (const exitCode of [132, 133, 134, 139]) {
      assert.ok(hasCrashedEarly({ ...ended, exitCode }));
      assert.ok(!hasCrashedEarly({ ...ended, exitCode, output: RESULTS }));
    }
    for (const exitCode of [undefined, 0, 1, 137]) {
      assert.ok(!hasCrashedEarly({ ...ended, exitCode }));
    }
  });

  it("when one guest met a triple fault before its first word, and nothing else failed", () => {
    const lost = failed(FAULT, "makeReady");
    assert.ok(hasLostOneGuest({ ...ended, exitCode: 1, output: RESULTS + lost }));
    const clone = failed(FAULT, "ContainerRun.startProcess");
    assert.ok(hasLostOneGuest({ ...ended, exitCode: 1, output: clone }));
    const others = [
      lost + lost,
      lost + failed("'exit code 1'", "run"),
      lost.replace("testCodeFailure", "testTimeoutFailure"),
      lost.replace("testCodeFailure", "testTimeoutFailure") + lost,
      failed(FAULT, "run"),
      failed(FAULT, "run") + failed("'none'", "makeReady"),
      failed(`|-\n        ${FAULT.slice(1, -1)}; the guest's console ends with`, "makeReady"),
      "",
    ];
    for (const output of others) assert.ok(!hasLostOneGuest({ ...ended, exitCode: 1, output }));
    for (const exitCode of [undefined, 0, 139]) {
      assert.ok(!hasLostOneGuest({ ...ended, exitCode, output: lost }));
    }
  });
});
