import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { sayLastWords } from "./last-words.ts";

describe("sayLastWords", () => {
  it("puts each line into the kernel's log, at a priority that is shown", () => {
    const recording = new RecordingSyscalls().file("/dev/kmsg", "");
    sayLastWords(recording.sys, "dvm-agent: fatal: no port\n    at main\n");
    assert.deepEqual(written(recording), ["<2>dvm-agent: fatal: no port", "<2>    at main"]);
  });

  it("takes the standard error before there is a log", () => {
    const recording = new RecordingSyscalls();
    sayLastWords(recording.sys, "dvm-agent: fatal: no port");
    assert.deepEqual(recording.made("write"), [
      ["write", 2, new TextEncoder().encode("dvm-agent: fatal: no port\n")],
    ]);
  });

  it("says no more than the log takes at once", () => {
    const recording = new RecordingSyscalls().file("/dev/kmsg", "");
    sayLastWords(recording.sys, `${"x".repeat(5000)}\n`.repeat(100));
    assert.equal(written(recording).length, 8);
    assert.ok(written(recording).every((line) => line.length < 992));
  });
});

function written(recording: RecordingSyscalls): string[] {
  return recording
    .made("write")
    .map(([, , bytes]) => (bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : ""));
}
