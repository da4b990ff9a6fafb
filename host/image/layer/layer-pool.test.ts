import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { digestOf } from "../digest.ts";
import { TestFolder } from "../test-support/image-builder.ts";
import { tarStream } from "../test-support/tar-builder.ts";
import { borrowLayerPool } from "./layer-pool.ts";
import { DEFAULT_LAYER_LIMITS } from "./limits.ts";

/** Has ten borrow the pool and read two layers each. @returns most that were read at once */
async function mostAtOnce(tar: Buffer): Promise<number> {
  using folder = new TestFolder();
  const diffId = digestOf(tar);
  let reading = 0;
  let most = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    most = Math.max(most, ++reading);
    for (let at = 0; at < tar.length; at += 65_536)
      yield Uint8Array.from(tar.subarray(at, at + 65_536));
    reading--;
  }
  const borrowers = Array.from({ length: 10 }, async (_, who) => {
    await using pool = borrowLayerPool();
    const jobs = [0, 1].map(async (which) => {
      const path = join(folder.path, `${who}-${which}`);
      mkdirSync(path);
      const summary = await pool.run({
        input: { kind: "stream", chunks: chunks() },
        expected: { diffId, digest: diffId, size: tar.length },
        folder: path,
        limits: DEFAULT_LAYER_LIMITS,
        onProgress: () => {},
        signal: undefined,
      });
      assert.equal(summary.unpacked, tar.length);
    });
    await Promise.all(jobs);
  });
  await Promise.all(borrowers);
  assert.equal(reading, 0);
  return most;
}

describe("the threads that read layers", () => {
  test("are no more for ten images at once than for one", async () => {
    const most = await mostAtOnce(tarStream({ name: "large", data: Buffer.alloc(3_000_000, 1) }));
    assert.ok(most <= Math.min(availableParallelism(), 4), `${most} at once`);
  });

  test("leave few small layers at once to the thread that asks", async () => {
    const most = await mostAtOnce(tarStream({ name: "small", data: Buffer.alloc(100_000, 1) }));
    assert.ok(most <= 2, `${most} at once`);
  });
});
