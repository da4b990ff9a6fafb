import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { decompress } from "./compression.ts";
import { gunzip, gunzipByZlib } from "./gunzip.ts";

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all);
}

const skippable = (payload: Buffer): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a53, 0);
  head.writeUInt32LE(payload.length, 4);
  return Buffer.concat([head, payload]);
};

const text = Buffer.concat([Buffer.alloc(700_000, "layer "), randomBytes(900_000)]);

describe("decompress", () => {
  for (const size of [1, 7, 4096, 1 << 20]) {
    const data = size < 4096 ? text.subarray(698_000, 702_000) : text;
    test(`gives plain, gzip and zstd data back from chunks of ${size}`, async () => {
      for (const packed of [data, gzipSync(data), zstdCompressSync(data)])
        assert.deepEqual(await collect(decompress(pieces(packed, size))), data);
    });

    test(`reads gzip members one after another from chunks of ${size}`, async () => {
      const members = [
        data.subarray(0, 10),
        Buffer.alloc(0),
        data.subarray(10, 900),
        data.subarray(900),
      ];
      const packed = Buffer.concat([...members.map((part) => gzipSync(part)), Buffer.alloc(99)]);
      assert.deepEqual(await collect(decompress(pieces(packed, size))), data);
      assert.deepEqual(await collect(gunzipByZlib(pieces(packed, size))), data);
    });

    test(`reads zstd frames one after another, skippable ones left out, from chunks of ${size}`, async () => {
      const packed = Buffer.concat([
        skippable(Buffer.alloc(0)),
        zstdCompressSync(data.subarray(0, 10)),
        skippable(Buffer.from("toc")),
        zstdCompressSync(data.subarray(10, 900)),
        zstdCompressSync(data.subarray(900)),
        skippable(randomBytes(3000)),
      ]);
      assert.deepEqual(await collect(decompress(pieces(packed, size))), data);
    });
  }

  const broken: readonly [string, Buffer][] = [
    ["a gzip stream that is cut off", gzipSync(text).subarray(0, -5)],
    [
      "a second gzip member that is cut off",
      Buffer.concat([gzipSync(text), gzipSync(text).subarray(0, 9)]),
    ],
    ["garbage after a gzip member", Buffer.concat([gzipSync(text), Buffer.from("garbage")])],
    ["a wrong gzip checksum", Buffer.concat([gzipSync(text).subarray(0, -8), Buffer.alloc(8, 1)])],
    ["a zstd stream that is cut off", zstdCompressSync(text).subarray(0, -5)],
    [
      "garbage after a zstd frame",
      Buffer.concat([zstdCompressSync(text), Buffer.from("garbage!")]),
    ],
    [
      "half a zstd magic number at the end",
      Buffer.concat([zstdCompressSync(text), Buffer.from([0x28, 0xb5])]),
    ],
    ["a zstd window of 2 GiB", Buffer.from("28b52ffd00a8010000", "hex")],
  ];
  for (const [what, bytes] of broken) {
    test(`refuses ${what}`, async () => {
      for (const size of [1000, 1 << 22])
        await assert.rejects(collect(decompress(pieces(bytes, size))), { code: "LAYER_CORRUPT" });
    });
  }

  test("passes an error of its input as it is", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield gzipSync(text).subarray(0, 1000);
      throw Object.assign(new Error("connection lost"), { name: "DvmError", code: "X" });
    }
    await assert.rejects(collect(decompress(failing())), { code: "X" });
  });

  test("closes its input when the consumer stops early", async () => {
    for (const packed of [text, gzipSync(text), zstdCompressSync(text)]) {
      let closed = false;
      async function* input(): AsyncGenerator<Uint8Array> {
        try {
          yield* pieces(packed, 4096);
        } finally {
          closed = true;
        }
      }
      for await (const _ of decompress(input())) break;
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(closed, true);
    }
  });

  test("never does more to arbitrary bytes than refuse them", async () => {
    const magics = [[], [0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd], [0x50, 0x2a, 0x4d, 0x18]];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...magics),
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 64 }),
        async (magic, rest, size) => {
          try {
            await collect(decompress(pieces(Buffer.from([...magic, ...rest]), size)));
          } catch (error) {
            assert.equal((error as { code?: string }).code, "LAYER_CORRUPT");
          }
        },
      ),
    );
  });
});

test("both gunzippers give the same for any members in any chunks", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 500 }),
      async (members, size) => {
        const packed = Buffer.concat(members.map((member) => gzipSync(member)));
        const expected = Buffer.concat(members);
        assert.deepEqual(await collect(gunzip(pieces(packed, size))), expected);
        assert.deepEqual(await collect(gunzipByZlib(pieces(packed, size))), expected);
      },
    ),
  );
});
