import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { OutputHub, type PassingWritable } from "./output-hub.ts";

/** A reader that takes one piece and no more before it is told to go on. */
function stalled() {
  const pieces: Buffer[] = [];
  const waiting: (() => void)[] = [];
  let goesOn = false;
  const target = new Writable({
    highWaterMark: 1,
    write(bytes: Buffer, _encoding, callback) {
      pieces.push(bytes);
      if (goesOn) callback();
      else waiting.push(callback);
    },
  });
  const goOn = () => {
    goesOn = true;
    for (const callback of waiting.splice(0)) callback();
  };
  return { target, pieces, goOn };
}

/** One byte of a piece that is as long as the transport's. */
function one(value: number): Uint8Array {
  return Buffer.alloc(4096, value).subarray(7, 8);
}

test("bytes for a reader that stalls are gathered, and come in their order", async () => {
  const hub = new OutputHub();
  const { target, pieces, goOn } = stalled();
  hub.add(target);
  for (let n = 0; n < 200_000; n++) hub.onData(one(n % 251));
  assert.ok(target.writableLength < 200_000 && target.writableLength > 100_000);
  goOn();
  hub.onData(one(1));
  while (target.writableLength > 0) await setImmediate();
  const expected = Buffer.from(Array.from({ length: 200_000 }, (_, n) => n % 251));
  assert.deepEqual(Buffer.concat(pieces).subarray(0, 200_000), expected);
  assert.equal(Buffer.concat(pieces).length, 200_001);
  assert.ok(pieces.length <= 6, `${pieces.length} pieces`);
});

test("what was gathered is handed on at the end of the stream, behind what comes first", async () => {
  const hub = new OutputHub();
  const { target, pieces, goOn } = stalled();
  const before = Promise.withResolvers<void>();
  hub.add(
    target,
    (async function* () {
      yield Buffer.from("first ");
      await before.promise;
    })(),
  );
  hub.onData(Buffer.from("second "));
  hub.onData(Buffer.from("third"));
  hub.onEnd();
  await hub.ended;
  goOn();
  before.resolve();
  while (Buffer.concat(pieces).length < 18) await setImmediate();
  assert.equal(Buffer.concat(pieces).toString(), "first second third");
});

/** A reader that takes of each piece at once what `takes` says, and what is left when it is let go on. */
function passing(takes: (length: number) => number) {
  const passed: Buffer[] = [];
  const written: Uint8Array[] = [];
  const waiting: (() => void)[] = [];
  const target: Writable = new Writable({
    highWaterMark: 1,
    write(bytes: Uint8Array, _encoding, callback) {
      written.push(bytes);
      waiting.push(callback);
    },
  });
  const pass = (bytes: Uint8Array) => {
    const taken = takes(bytes.length);
    passed.push(Buffer.from(bytes.subarray(0, taken)));
    return taken;
  };
  const goOn = () => {
    for (const callback of waiting.splice(0)) callback();
  };
  const reader: PassingWritable = Object.assign(target, { pass });
  return { reader, passed, written, goOn };
}

test("what a reader takes at once is not kept, and the rest of a piece is a copy", () => {
  const hub = new OutputHub();
  const transport = Buffer.from("whole");
  const { reader, passed, written } = passing((length) => Math.min(length, 5));
  hub.add(reader);
  hub.onData(transport);
  assert.deepEqual([written.length, reader.writableLength], [0, 0]);
  const longer = Buffer.from("in two");
  hub.onData(longer);
  longer.fill(0);
  transport.fill(0);
  assert.deepEqual(passed.map(String), ["whole", "in tw"]);
  assert.deepEqual(written.map(String), ["o"]);
});

test("memory in which bytes waited is used again, however much has to wait", async () => {
  const hub = new OutputHub();
  const { reader, written, goOn } = passing(() => 0);
  hub.add(reader);
  const chunk = 64 * 1024;
  const memories = new Set<ArrayBufferLike>();
  for (let round = 0; round < 20; round++) {
    for (let piece = 0; piece < 16; piece++) hub.onData(Buffer.alloc(chunk, piece));
    while (reader.writableLength > 0) {
      goOn();
      await setImmediate();
    }
  }
  // one of each round waits in a copy of its own
  for (const { buffer } of written) if (buffer.byteLength === chunk) memories.add(buffer);
  assert.equal(Buffer.concat(written).length, 20 * 16 * chunk);
  assert.ok(memories.size <= 20 + 16, `${memories.size} pieces of memory`);
});
