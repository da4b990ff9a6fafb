import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { digestOf } from "../digest.ts";
import { readBack } from "../test-support/read-back.ts";
import { gnuLong, paxMember, tarMember, tarStream } from "../test-support/tar-builder.ts";

const tar = tarStream(
  { name: "bin/", type: "5" },
  ...Array.from({ length: 11 }, (_, n) => ({ name: `bin/${n}`, data: "x".repeat(500 * n) })),
);

describe("readLayer refuses", () => {
  const deep = `${"a/".repeat(2048)}b`;
  const refused: readonly [string, Buffer, string][] = [
    ["a path that leaves the root", tarStream({ name: "../x" }), "LAYER_ENTRY_REFUSED"],
    [
      "a path that leaves the root on its way",
      tarStream({ name: "a/../../x" }),
      "LAYER_ENTRY_REFUSED",
    ],
    ["an absolute path that leaves the root", tarStream({ name: "/../x" }), "LAYER_ENTRY_REFUSED"],
    [
      "a hard link that leaves the root",
      tarStream({ name: "x", type: "1", link: "../y" }),
      "LAYER_ENTRY_REFUSED",
    ],
    [
      "a hard link to itself",
      tarStream({ name: "x", type: "1", link: "./x" }),
      "LAYER_ENTRY_REFUSED",
    ],
    [
      "a hard link to the root",
      tarStream({ name: "x", type: "1", link: "/" }),
      "LAYER_ENTRY_REFUSED",
    ],
    ["a symbolic link to nothing", tarStream({ name: "x", type: "2" }), "LAYER_ENTRY_REFUSED"],
    ["a root that is a file", tarStream({ name: "./", data: "x" }), "LAYER_ENTRY_REFUSED"],
    ["an entry without a name", tarStream({ name: "", type: "5" }), "LAYER_ENTRY_REFUSED"],
    ["a whiteout of .", tarStream({ name: "a/.wh.." }), "LAYER_ENTRY_REFUSED"],
    ["a whiteout of ..", tarStream({ name: "a/.wh..." }), "LAYER_ENTRY_REFUSED"],
    ["a whiteout of nothing", tarStream({ name: ".wh." }), "LAYER_ENTRY_REFUSED"],
    [
      "a NUL in a PAX path",
      tarStream(paxMember([["path", "a\0b"]]), { name: "x" }),
      "LAYER_ENTRY_REFUSED",
    ],
    [
      "a NUL in a PAX link target",
      tarStream(paxMember([["linkpath", "a\0b"]]), { name: "x", type: "2" }),
      "LAYER_ENTRY_REFUSED",
    ],
    [
      "a name of 256 bytes",
      tarStream(paxMember([["path", "n".repeat(256)]]), {}),
      "LAYER_ENTRY_REFUSED",
    ],
    ["a path of 4,097 bytes", tarStream(gnuLong("L", deep), {}), "LAYER_ENTRY_REFUSED"],
    [
      "a link target of 4,097 bytes",
      tarStream(gnuLong("K", deep), { type: "2" }),
      "LAYER_ENTRY_REFUSED",
    ],
    [
      "PAX records that contradict",
      tarStream(
        paxMember([
          ["path", "a"],
          ["path", "b"],
        ]),
        {},
      ),
      "LAYER_ENTRY_REFUSED",
    ],
    [
      "PAX and GNU names that contradict",
      tarStream(gnuLong("L", "a"), paxMember([["path", "b"]]), {}),
      "LAYER_ENTRY_REFUSED",
    ],
    [
      "two PAX headers for one entry",
      tarStream(paxMember([["path", "a"]]), paxMember([["path", "a"]]), {}),
      "LAYER_ENTRY_REFUSED",
    ],
    [
      "an owner past 32 bits",
      tarStream(paxMember([["uid", "4294967295"]]), {}),
      "LAYER_ENTRY_REFUSED",
    ],
    [
      "a device number past the kernel's",
      tarStream({ type: "3", major: 4096 }),
      "LAYER_ENTRY_REFUSED",
    ],
    ["an unknown type", tarStream({ type: "V" }), "LAYER_ENTRY_REFUSED"],
    [
      "an attribute without a name",
      tarStream(paxMember([["SCHILY.xattr.", "x"]]), {}),
      "LAYER_ENTRY_REFUSED",
    ],
    [
      "an attribute of 65,537 bytes",
      tarStream(paxMember([["SCHILY.xattr.user.a", "x".repeat(65_537)]]), {}),
      "LAYER_ENTRY_REFUSED",
    ],
    ["a wrong header checksum", flipped(tarStream({ name: "abc" }), 1), "LAYER_CORRUPT"],
    [
      "a size that is no number",
      tarStream({ patch: (header) => header.write("zz", 124) }),
      "LAYER_CORRUPT",
    ],
    [
      "a PAX record with a wrong length",
      tarStream(tarMember({ type: "x", data: "99 a=b\n" }), {}),
      "LAYER_CORRUPT",
    ],
    [
      "a PAX record without a key",
      tarStream(tarMember({ type: "x", data: "6 =bb\n" }), {}),
      "LAYER_CORRUPT",
    ],
    ["a PAX number that is none", tarStream(paxMember([["size", "-1"]]), {}), "LAYER_CORRUPT"],
    ["a PAX time that is none", tarStream(paxMember([["mtime", "soon"]]), {}), "LAYER_CORRUPT"],
    ["a PAX header without its entry", tarStream(paxMember([["path", "a"]])), "LAYER_CORRUPT"],
    ["a PAX header at the end", paxMember([["path", "a"]]), "LAYER_CORRUPT"],
    [
      "an extension header of 2 MiB",
      tarStream(tarMember({ type: "x", size: 2 << 20 })),
      "LAYER_LIMIT_EXCEEDED",
    ],
    [
      "a stream cut off within a file",
      tarStream({ data: "x".repeat(2000) }).subarray(0, 1024),
      "LAYER_CORRUPT",
    ],
    ["a stream cut off within a header", tarStream({}).subarray(0, 300), "LAYER_CORRUPT"],
    [
      "data after the end",
      Buffer.concat([tarStream({}), tarStream({ name: "hidden" })]),
      "LAYER_CORRUPT",
    ],
    [
      "data after the first block of zeros",
      Buffer.concat([Buffer.alloc(512), tarStream({})]),
      "LAYER_CORRUPT",
    ],
    ["what is no tar stream", Buffer.alloc(2048, "garbage "), "LAYER_CORRUPT"],
    [
      "a file larger than the limit",
      tarStream(paxMember([["size", "9007199254740991"]]), {}),
      "LAYER_LIMIT_EXCEEDED",
    ],
  ];
  for (const [what, stream, code] of refused) {
    test(what, async () => {
      await assert.rejects(readBack(stream), { code, exitCode: 125 });
      await assert.rejects(readBack(stream, { chunk: 100 }), { code });
    });
  }

  test("a blob that is another, whatever fails first", async () => {
    const other = gzipSync(tar);
    const digest = digestOf(Buffer.from("other"));
    for (const blob of [other, other.subarray(0, 50), Buffer.from("junk"), flipped(other, 40)])
      await assert.rejects(readBack(tar, { blob, expected: { digest } }), {
        code: "DIGEST_MISMATCH",
      });
  });

  test("a blob that is cut off or goes on too long", async () => {
    const blob = gzipSync(tar);
    const expected = { digest: digestOf(blob), size: blob.length };
    await assert.rejects(readBack(tar, { blob: blob.subarray(0, 60), expected }), {
      code: "DIGEST_MISMATCH",
      message: /is cut off: 60 of/,
    });
    const longer = Buffer.concat([blob, Buffer.alloc(5)]);
    await assert.rejects(readBack(tar, { blob: longer, expected }), {
      code: "DIGEST_MISMATCH",
      message: /is longer than/,
    });
  });

  test("a stream that is not the one the config names", async () => {
    const diffId = digestOf(Buffer.from("other"));
    await assert.rejects(readBack(tar, { expected: { diffId } }), { code: "DIGEST_MISMATCH" });
  });

  test("what is past its limits", async () => {
    const zeros = tarStream({ name: "zeros", data: Buffer.alloc(1 << 20) });
    const code = "LAYER_LIMIT_EXCEEDED";
    await assert.rejects(readBack(tar, { limits: { entries: 11 } }), { code });
    await assert.rejects(readBack(tar, { limits: { metadata: 100 } }), { code });
    await assert.rejects(readBack(zeros, { limits: { unpacked: 1 << 19 } }), { code });
    await assert.rejects(
      readBack(zeros, { blob: gzipSync(zeros), limits: { ratio: 50, ratioFrom: 1 << 18 } }),
      { code },
    );
    await readBack(zeros, { blob: gzipSync(zeros), limits: { ratio: 50 } });
  });
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
}
