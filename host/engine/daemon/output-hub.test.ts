import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { OutputHub } from "./output-hub.ts";

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
