import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { POLLIN, POLLOUT } from "../linux/poll.ts";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { EventLoop } from "./event-loop.ts";

/** A loop whose descriptors are ready for all that is waited for. */
function readyLoop() {
  const recording = new RecordingSyscalls().on("poll", (fds) => fds.map(({ events }) => events));
  return { recording, loop: new EventLoop(recording.sys) };
}

describe("EventLoop", () => {
  it("calls each watch with what its descriptor is ready for", () => {
    const { loop } = readyLoop();
    const seen: string[] = [];
    loop.watch(3, POLLIN, (revents) => seen.push(`3:${revents}`));
    loop.watch(4, POLLOUT, (revents) => seen.push(`4:${revents}`));
    loop.turn();
    assert.deepEqual(seen, ["3:1", "4:4"]);
  });

  it("leaves out a watch that waits for nothing", () => {
    const { recording, loop } = readyLoop();
    const watch = loop.watch(3, POLLIN, () => {});
    watch.events = 0;
    loop.turn();
    assert.deepEqual(recording.calls, [["poll", [], undefined]]);
  });

  it("does not call a watch that an earlier handler of the turn took away", () => {
    const { loop } = readyLoop();
    const seen: number[] = [];
    loop.watch(3, POLLIN, () => {
      seen.push(3);
      loop.unwatch(second);
    });
    const second = loop.watch(4, POLLIN, () => seen.push(4));
    loop.turn();
    assert.deepEqual(seen, [3]);
  });
});
