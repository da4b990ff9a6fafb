import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync } from "node:fs";
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

  for (const size of [1000, 3_000_000])
    test(`are waited for no longer than the signal allows, for ${size} bytes`, async () => {
      using folder = new TestFolder();
      await using pool = borrowLayerPool();
      const gate = Promise.withResolvers<never>();
      async function* stuck(): AsyncGenerator<Uint8Array> {
        yield await gate.promise;
      }
      const run = (signal?: AbortSignal) => {
        const digest = digestOf(Buffer.alloc(1));
        const expected = { diffId: digest, digest, size };
        const input = { kind: "stream", chunks: stuck() } as const;
        const path = mkdtempSync(join(folder.path, "layer-"));
        const limits = DEFAULT_LAYER_LIMITS;
        return pool.run({ input, expected, folder: path, limits, onProgress: () => {}, signal });
      };
      const readers = Array.from({ length: 4 }, () => assert.rejects(run(), /no more of it/));
      const stop = new AbortController();
      const waiting = assert.rejects(run(stop.signal), { code: "LOAD_CANCELLED" });
      stop.abort();
      await waiting;
      gate.reject(new Error("no more of it"));
      await Promise.all(readers);
    });
});
