import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProcessEnded, RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { SyscallError } from "../syscalls/syscalls.ts";
import { containerError } from "./errors.ts";
import { readReport, reportFailure } from "./report.ts";
import { encodeText } from "./text.ts";

/** What a parent reads of a child that ran `steps`, and the child's exit code. */
function reported(steps: Parameters<typeof reportFailure>[2]) {
  const recording = new RecordingSyscalls();
  const written: number[] = [];
  recording.on("write", (_fd, bytes) => written.push(...bytes) && bytes.length);
  let exit: unknown;
  try {
    reportFailure(recording.sys, 7, steps);
  } catch (error) {
    exit = error;
  }
  assert.ok(exit instanceof ProcessEnded);
  return { exit: exit.message, failure: read(Uint8Array.from(written)) };
}

function read(bytes: Uint8Array) {
  const recording = new RecordingSyscalls();
  let at = 0;
  recording.on("read", (_fd, buffer) => {
    const piece = bytes.subarray(at, at + buffer.length);
    buffer.set(piece);
    at += piece.length;
    return piece.length;
  });
  return readReport(recording.sys, 8);
}

test("a failed system call arrives with the step that it belonged to", () => {
  const { exit, failure } = reported((stage) => {
    stage("mount /proc");
    throw new SyscallError("mount", 1, "EPERM", "/x");
  });
  assert.equal(exit, "exit 125");
  assert.equal(failure?.message, "mount /proc: mount /x: EPERM");
  assert.deepEqual(failure?.step, { stage: "mount /proc", errno: 1, path: "/x" });
});

test("a refusal keeps its code and exit code", () => {
  const { exit, failure } = reported(() => {
    throw containerError("COMMAND_NOT_FOUND", "no such thing");
  });
  assert.equal(exit, "exit 127");
  assert.deepEqual(
    [failure?.code, failure?.exitCode, failure?.message],
    ["COMMAND_NOT_FOUND", 127, "no such thing"],
  );
});

test("the child ends even when nobody can be told", () => {
  const recording = new RecordingSyscalls().fail("write", "EPIPE");
  const steps = (): never => {
    throw new Error("x");
  };
  assert.throws(() => reportFailure(recording.sys, 7, steps), ProcessEnded);
});

test("an empty report is a process that came to be", () => {
  assert.equal(read(new Uint8Array(0)), undefined);
});

test("a report is never misread, whatever its bytes", () => {
  const json = fc.object().map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(fc.oneof(json, fc.json()), (text) => {
      const failure = read(encodeText(text));
      assert.equal(failure?.exitCode, 125);
    }),
  );
});
