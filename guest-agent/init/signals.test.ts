import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SIGNALS } from "../linux/signal.ts";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import type { WaitResult } from "../syscalls/syscalls.ts";
import { EventLoop } from "./event-loop.ts";
import { handleSignals } from "./signals.ts";

/** A loop on which `signal` has come, with `children` to reap. */
function signalled(signal: number, children: (WaitResult | undefined)[]) {
  const recording = new RecordingSyscalls()
    .on("poll", (fds) => fds.map(({ events }) => events))
    .on("read", (_fd, buffer) => {
      buffer[0] = signal;
      return buffer.length;
    });
  if (children.length > 0) recording.on("wait4", () => children.shift());
  const loop = new EventLoop(recording.sys);
  const seen: unknown[] = [];
  handleSignals(recording.sys, loop, {
    onChild: (ended) => seen.push(ended.pid),
    onPort: () => seen.push("port"),
  });
  loop.turn();
  return seen;
}

describe("handleSignals", () => {
  it("reaps every child that has ended, however few signals came", () => {
    const children = [{ pid: 10, status: 0 }, { pid: 11, status: 0 }, undefined];
    assert.deepEqual(signalled(SIGNALS.SIGCHLD, children), [10, 11]);
  });

  it("is content when there is no child at all", () => {
    assert.deepEqual(signalled(SIGNALS.SIGCHLD, []), []);
  });

  it("tells the port of its driver's signal", () => {
    assert.deepEqual(signalled(SIGNALS.SIGIO, []), ["port"]);
  });
});
