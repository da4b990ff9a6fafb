import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { LayerEntry } from "../../rootfs/entry.ts";
import { decodeEntries, EntriesEncoder } from "./entries-file.ts";

const text = fc.string({
  unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 40,
});
const u32 = fc.nat(0xffff_fffe);
const base = {
  path: text,
  mode: fc.nat(0o7777),
  uid: u32,
  gid: u32,
  mtime: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  mtimeNanoseconds: fc.nat(999_999_999),
  xattrs: fc
    .array(fc.tuple(text, fc.uint8Array({ maxLength: 30 })), { maxLength: 2 })
    .map((pairs) => new Map(pairs.map(([name, value]) => [name, Buffer.from(value)]))),
};
const run = fc.record(
  {
    fileOffset: fc.maxSafeNat(),
    dataOffset: fc.maxSafeNat(),
    length: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
);
const entry: fc.Arbitrary<LayerEntry> = fc.oneof(
  fc.record(
    {
      ...base,
      type: fc.constant("file" as const),
      size: fc.maxSafeNat(),
      data: fc.array(run, { maxLength: 3 }),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      ...base,
      type: fc.constantFrom("directory" as const, "fifo" as const, "socket" as const),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      ...base,
      type: fc.constantFrom("symlink" as const, "hardlink" as const),
      target: text,
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      ...base,
      type: fc.constantFrom("character" as const, "block" as const),
      major: fc.nat(4095),
      minor: fc.nat(1_048_575),
    },
    { noNullPrototype: true },
  ),
);

function encode(entries: readonly LayerEntry[]): Buffer {
  const encoder = new EntriesEncoder();
  for (const item of entries) encoder.add(item);
  assert.equal(encoder.count, entries.length);
  return encoder.finish();
}

describe("the entries file", () => {
  test("gives every entry back", () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), (entries) => {
        const decoded = decodeEntries(encode(entries), "e");
        assert.equal(decoded.length, entries.length);
        assert.deepEqual(decoded, entries);
      }),
    );
  });

  test("is refused when any byte of it is damaged or missing", () => {
    const file = encode([
      {
        path: "a",
        type: "symlink",
        target: "b",
        mode: 0,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtimeNanoseconds: 0,
        xattrs: new Map([["user.x", Buffer.from("y")]]),
      },
    ]);
    for (let at = 0; at < file.length; at++) {
      const damaged = Buffer.from(file);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      assert.throws(() => decodeEntries(damaged, "e"), { code: "STORE_CORRUPT" });
    }
    for (const length of [0, 10, file.length - 1])
      assert.throws(() => decodeEntries(file.subarray(0, length), "e"), { code: "STORE_CORRUPT" });
  });

  test("keeps its format: version 1, to the byte", () => {
    const file = encode([
      {
        path: "d",
        type: "directory",
        mode: 0o755,
        uid: 1,
        gid: 2,
        mtime: 3,
        mtimeNanoseconds: 4,
        xattrs: new Map(),
      },
    ]);
    assert.equal(
      file.toString("hex"),
      "44564d454e545259" +
        "01000000" +
        "01000000" +
        "01000000" +
        "00000000" +
        "00000000" +
        file.subarray(28, 32).toString("hex") +
        "0100ed01" +
        "01000000" +
        "02000000" +
        "04000000" +
        "0000000000000840" +
        "0000000000000000" +
        "01000000" +
        "00000000".repeat(3) +
        "00".repeat(16) +
        "64",
    );
  });
});
