import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { steadyStream } from "./steady-stream.ts";

/** Reads chunks of a length that come after a time each, by a clock of its own. @returns bytes read */
async function read(length: number, wait: number, work = 0): Promise<number> {
  let time = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 20; n++) {
      time += wait;
      yield new Uint8Array(length);
    }
  }
  let bytes = 0;
  const tooSlow = () => new Error("too slow");
  for await (const chunk of steadyStream(chunks(), { tooSlow, now: () => time })) {
    bytes += chunk.length;
    time += work;
  }
  return bytes;
}

describe("a steady stream", () => {
  test("is given up when it brings less than 1 KiB a second", async () => {
    await assert.rejects(read(1, 59_000), /too slow/);
    await assert.rejects(read(10_000, 10_000), /too slow/);
  });

  test("comes whole when it brings as much, however long its reader takes", async () => {
    assert.equal(await read(10_240, 10_000), 204_800);
    assert.equal(await read(1, 1, 3_600_000), 20);
    assert.equal(await read(70_000, 59_000), 1_400_000);
  });
});
