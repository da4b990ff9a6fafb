import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { CountedSink } from "./counted-sink.ts";

test("goes on where a stream was cut off, however it was and is in pieces", async () => {
  const pieces = fc.array(fc.string({ maxLength: 20 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(pieces, pieces, fc.nat(40), async (whole, rest, cut) => {
      const target = new PassThrough({ encoding: "utf8" });
      const sink = new CountedSink(target);
      const text = Buffer.from(whole.join(""));
      const at = Math.min(cut, text.length);
      await written(sink, text.subarray(0, at));
      sink.startAgain();
      for (let from = 0; from < text.length; from += 3)
        await written(sink, text.subarray(from, from + 3));
      // a second loss, at a later place
      sink.startAgain();
      await written(sink, text);
      for (const each of rest) await written(sink, Buffer.from(each));
      assert.equal(target.read() ?? "", text.toString() + rest.join(""));
    }),
  );
});

test("waits for a target that is slow, and not for one that is gone", async () => {
  const target = new PassThrough({ highWaterMark: 4 });
  const sink = new CountedSink(target);
  let isDone = false;
  const writing = written(sink, Buffer.alloc(10)).then(() => {
    isDone = true;
  });
  await new Promise(setImmediate);
  assert.equal(isDone, false);
  target.resume();
  await writing;
  target.destroy();
  await written(sink, Buffer.alloc(100));
});

function written(sink: CountedSink, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => sink.write(bytes, () => resolve()));
}
