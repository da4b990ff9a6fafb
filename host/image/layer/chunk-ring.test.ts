import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { type RingMemory, RingReader, RingWriter, ringMemory } from "./chunk-ring.ts";

function readInThread(memory: RingMemory): Promise<unknown[]> {
  const program = new URL("../test-support/ring-in-thread.ts", import.meta.url);
  return once(new Worker(program, { workerData: memory }), "message");
}

describe("a ring between two threads", () => {
  for (const size of [1, 4095, 65_536, 3_000_000])
    test(`brings everything over in order, in chunks of ${size}`, async () => {
      const data = randomBytes(size === 1 ? 500 : 3_333_333);
      const memory = ringMemory();
      const answer = readInThread(memory);
      const writer = new RingWriter(memory);
      for (let at = 0; at < data.length; at += size)
        assert.equal(await writer.write(data.subarray(at, at + size)), true);
      writer.end();
      assert.deepEqual(await answer, [createHash("sha256").update(data).digest("hex")]);
    });

  test("gives its memory to the next pair", async () => {
    const { bytes } = ringMemory();
    for (const text of ["first", "second"]) {
      const memory = ringMemory(bytes);
      const writer = new RingWriter(memory);
      await writer.write(Buffer.from(text));
      writer.end();
      assert.deepEqual(await readInThread(memory), [
        createHash("sha256").update(text).digest("hex"),
      ]);
    }
  });

  test("wakes a reader that sleeps and a writer that waits when it is cancelled", async () => {
    const sleeping = ringMemory();
    const answer = readInThread(sleeping);
    new RingWriter(sleeping).cancel();
    assert.deepEqual(await answer, ["cancelled"]);

    const full = ringMemory();
    const writer = new RingWriter(full);
    const writing = writer.write(Buffer.alloc(2_000_000));
    await new Promise((resolve) => setImmediate(resolve));
    writer.cancel();
    assert.equal(await writing, false);
    assert.equal(new RingReader(full).next(), undefined);
  });

  test("goes on where its positions wrap", async () => {
    const memory = ringMemory();
    // Both ends 10 bytes before 2³².
    new Int32Array(memory.control).fill(-10, 0, 2);
    const writer = new RingWriter(memory);
    assert.equal(await writer.write(Buffer.from("over the end of the numbers")), true);
    writer.end();
    const reader = new RingReader(memory);
    let text = "";
    for (let chunk = reader.next(); chunk !== undefined; chunk = reader.next())
      text += Buffer.from(chunk).toString();
    assert.equal(text, "over the end of the numbers");
  });
});
