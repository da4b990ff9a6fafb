import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ERRNO } from "../linux/errno.ts";
import { decodeOffset, FrameReader, FrameType } from "../protocol/frame.ts";
import { CREDIT_STEP, STREAM_WINDOW, WIDE_CREDIT_STEP } from "../protocol/index.ts";
import { IncomingStream, OutgoingStream } from "../protocol/stream.ts";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { SyscallError } from "../syscalls/syscalls.ts";
import { EventLoop } from "./event-loop.ts";
import { InputPump } from "./input-pump.ts";
import { OutputPump } from "./output-pump.ts";

const FD = 5;

function failure(call: string, code: keyof typeof ERRNO): SyscallError {
  return new SyscallError(call, ERRNO[code], code);
}

/** A pipe that yields `script`: bytes, an error's name, or "" for the end; EAGAIN afterwards. */
function outputFrom(script: (Uint8Array | keyof typeof ERRNO | "")[]) {
  const recording = new RecordingSyscalls()
    .on("poll", (fds) => fds.map(({ events }) => events))
    .on("read", (_fd, buffer) => {
      const next = script[0];
      if (next === undefined) throw failure("read", "EAGAIN");
      if (next instanceof Uint8Array) {
        const piece = next.subarray(0, buffer.length);
        buffer.set(piece);
        if (piece.length === next.length) script.shift();
        else script[0] = next.subarray(piece.length);
        return piece.length;
      }
      script.shift();
      if (next === "") return 0;
      throw failure("read", next);
    });
  const loop = new EventLoop(recording.sys);
  const stream = new OutgoingStream(1, () => {});
  let ends = 0;
  const pump = new OutputPump({ sys: recording.sys, loop, fd: FD, stream, onEnd: () => ends++ });
  return { recording, loop, stream, pump, ends: () => ends };
}

/** All that the stream would send now, as text. */
function sent(stream: OutgoingStream): string {
  let text = "";
  for (;;) {
    const bytes = stream.next();
    if (bytes === undefined) return text;
    for (const { type, payload } of new FrameReader().read(bytes)) {
      const isData = type === FrameType.DATA;
      text += isData ? Buffer.from(payload).toString() : `<end ${decodeOffset(payload)}>`;
    }
  }
}

describe("OutputPump", () => {
  it("carries output to the stream and ends it", () => {
    const { loop, stream, ends } = outputFrom([Buffer.from("one "), Buffer.from("two"), ""]);
    for (let turn = 0; turn < 3; turn++) loop.turn();
    assert.equal(sent(stream), "one two<end 7>");
    assert.equal(ends(), 1);
  });

  it("carries long pieces, each in a frame that it was read into, and a short one after them", () => {
    const long = [1, 2, 3].map((each) => Buffer.alloc(400_000, `${each}`));
    const { loop, stream } = outputFrom([...long, Buffer.from("short"), ""]);
    // the first turn finds out that there is much
    for (let turn = 0; turn < 6; turn++) loop.turn();
    const text = long.map(String).join("");
    assert.equal(sent(stream), `${text}short<end 1200005>`);
    // and once more from the begin, from within a frame, and from the end of one
    for (const offset of [0, 1000, 400_000, 800_001]) {
      stream.resume(offset);
      assert.equal(sent(stream), `${text.slice(offset)}short<end 1200005>`);
    }
  });

  it("reads little at a time until a process says much, and then all that its pipe holds", () => {
    const { recording, loop } = outputFrom([new Uint8Array(STREAM_WINDOW), Buffer.from("x")]);
    for (let turn = 0; turn < 3; turn++) loop.turn();
    const asked = recording.made("read").map(([, , buffer]) => (buffer as Uint8Array).length);
    const [first = 0, second = 0, third = 0] = asked;
    assert.ok(first * 8 < second, `${asked}`);
    assert.equal(second, third);
  });

  it("takes the hang-up of a terminal for the end", () => {
    const { loop, stream } = outputFrom([Buffer.from("x"), "EIO"]);
    loop.turn();
    loop.turn();
    assert.equal(sent(stream), "x<end 1>");
  });

  it("stops reading when the stream's window is full and goes on when there is room", () => {
    const { recording, loop, stream } = outputFrom([new Uint8Array(2 * STREAM_WINDOW)]);
    for (let turn = 0; turn < 20; turn++) loop.turn();
    const { room } = stream;
    assert.ok(room < WIDE_CREDIT_STEP);
    assert.deepEqual(recording.calls.at(-1), ["poll", [], undefined]);
    sent(stream);
    stream.credit(WIDE_CREDIT_STEP);
    loop.turn();
    assert.ok(stream.room < room + WIDE_CREDIT_STEP);
    assert.deepEqual(recording.made("poll").at(-1)?.[1], [{ fd: FD, events: 1 }]);
  });

  it("reads on and throws away when the host wants no more", () => {
    const { loop, stream, ends } = outputFrom([new Uint8Array(3 * STREAM_WINDOW), ""]);
    stream.close();
    for (let turn = 0; turn < 30; turn++) loop.turn();
    assert.equal(ends(), 1);
  });

  it("ends after what is in the pipe once the process is gone, though the pipe stays open", () => {
    const { stream, pump, ends } = outputFrom([Buffer.from("last words")]);
    pump.drain();
    assert.equal(sent(stream), "last words<end 10>");
    assert.equal(ends(), 1);
  });

  it("drains across a full window", () => {
    const { loop, stream, pump, ends } = outputFrom([new Uint8Array(STREAM_WINDOW + 10)]);
    for (let turn = 0; turn < 10; turn++) loop.turn();
    pump.drain();
    assert.equal(ends(), 0);
    const first = sent(stream).length;
    stream.credit(first);
    assert.equal(ends(), 1);
    const rest = STREAM_WINDOW + 10 - first;
    assert.equal(sent(stream).length, rest + `<end ${STREAM_WINDOW + 10}>`.length);
  });
});

/** A pipe that takes as many bytes a write as `room` says; `undefined` is EAGAIN, a name that error. */
function inputTo(room: (number | undefined | keyof typeof ERRNO)[]) {
  let taken = "";
  const recording = new RecordingSyscalls()
    .on("poll", (fds) => fds.map(({ events }) => events))
    .on("write", (_fd, bytes) => {
      const most = room.shift();
      if (most === undefined) throw failure("write", "EAGAIN");
      if (typeof most === "string") throw failure("write", most);
      const piece = bytes.subarray(0, most);
      taken += Buffer.from(piece).toString();
      return piece.length;
    });
  const loop = new EventLoop(recording.sys);
  let ends = 0;
  const pump = new InputPump({ sys: recording.sys, loop, fd: FD, onEnd: () => ends++ });
  const credits: number[] = [];
  const stream = new IncomingStream({
    id: 1,
    offset: 0,
    handlers: pump,
    sendCredit: (offset) => credits.push(offset),
    creditStep: () => CREDIT_STEP,
  });
  pump.attach(stream);
  return { recording, loop, pump, stream, credits, taken: () => taken, ends: () => ends };
}

describe("InputPump", () => {
  it("writes what comes and closes the pipe after the last byte", () => {
    const { stream, taken, ends } = inputTo([100, 100]);
    stream.data(Buffer.from("ab"));
    stream.data(Buffer.from("cd"));
    assert.equal(ends(), 0);
    stream.end(4);
    assert.equal(taken(), "abcd");
    assert.equal(ends(), 1);
  });

  it("keeps what the pipe does not take and goes on when it does", () => {
    const { loop, stream, taken, ends } = inputTo([1, undefined, 100]);
    stream.data(Buffer.from("abc"));
    stream.end(3);
    assert.equal(taken(), "a");
    assert.equal(ends(), 0);
    loop.turn();
    assert.equal(taken(), "abc");
    assert.equal(ends(), 1);
  });

  it("grants credit only for what the process took", () => {
    const { stream, credits } = inputTo([50_000, undefined]);
    stream.data(new Uint8Array(CREDIT_STEP));
    assert.deepEqual(credits, []);
    const greedy = inputTo([CREDIT_STEP]);
    greedy.stream.data(new Uint8Array(CREDIT_STEP));
    assert.deepEqual(greedy.credits, [CREDIT_STEP]);
  });

  it("throws input away that the process does not want, and keeps granting credit", () => {
    const { recording, stream, credits, ends } = inputTo(["EPIPE"]);
    stream.data(new Uint8Array(CREDIT_STEP));
    stream.data(new Uint8Array(CREDIT_STEP));
    assert.equal(recording.made("write").length, 1);
    assert.deepEqual(credits, [CREDIT_STEP, 2 * CREDIT_STEP]);
    stream.end(2 * CREDIT_STEP);
    assert.equal(ends(), 1);
  });

  it("does nothing to the descriptor once it is stopped", () => {
    const { recording, loop, pump, stream, credits } = inputTo([undefined]);
    stream.data(new Uint8Array(CREDIT_STEP));
    pump.stop();
    loop.turn();
    stream.data(new Uint8Array(10));
    assert.equal(recording.made("write").length, 1);
    assert.deepEqual(credits, [CREDIT_STEP]);
  });
});
