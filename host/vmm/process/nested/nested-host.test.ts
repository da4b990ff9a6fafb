import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasCrashedEarly, hasLockedUp } from "./nested-host.ts";

const ended = { output: "TAP version 13\n", fellSilent: false };
const RESULTS = "TAP version 13\n    ok 1 - starts\n# Fatal error in , line 0\n";

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
});
