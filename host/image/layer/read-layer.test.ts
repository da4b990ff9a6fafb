import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { contentOf, readBack } from "../test-support/read-back.ts";
import { gnuLong, paxMember, type TestMember, tarStream } from "../test-support/tar-builder.ts";

describe("readLayer", () => {
  const members: readonly TestMember[] = [
    { name: "./", type: "5", mode: 0o755 },
    { name: "bin/", type: "5", mode: 0o1777, uid: 1, gid: 2, mtime: 1_700_000_000 },
    { name: "bin/su", data: "x".repeat(5000), mode: 0o4755 },
    { name: "bin/link", type: "2", link: "../../etc/passwd" },
    { name: "bin/hard", type: "1", link: "./bin/su" },
    { name: "dev/kvm", type: "3", major: 10, minor: 232 },
    { name: "dev/sda", type: "4", major: 8, minor: 0 },
    { name: "pipe", type: "6" },
    { name: "empty", data: "" },
    { name: ".wh.gone" },
    { name: "bin/.wh..wh..opq" },
    { name: "last", data: Buffer.alloc(4096, 7) },
  ];
  const tar = tarStream(...members);

  for (const chunk of [1, 511, 512, 513, 4096, 1 << 20]) {
    test(`reads every kind of entry from chunks of ${chunk}`, async () => {
      const { entries, data, rebuilt } = await readBack(tar, { chunk });
      assert.deepEqual(
        entries.map(({ path, type, mode }) => [path, type, mode]),
        [
          ["", "directory", 0o755],
          ["bin", "directory", 0o1777],
          ["bin/su", "file", 0o4755],
          ["bin/link", "symlink", 0o644],
          ["bin/hard", "hardlink", 0o644],
          ["dev/kvm", "character", 0o644],
          ["dev/sda", "block", 0o644],
          ["pipe", "fifo", 0o644],
          ["empty", "file", 0o644],
          [".wh.gone", "file", 0o644],
          ["bin/.wh..wh..opq", "file", 0o644],
          ["last", "file", 0o644],
        ],
      );
      const at = (n: number): Record<string, unknown> => ({ ...entries[n] });
      assert.equal(at(1).uid, 1);
      assert.equal(at(1).gid, 2);
      assert.equal(at(1).mtime, 1_700_000_000);
      assert.equal(at(3).target, "../../etc/passwd");
      assert.equal(at(4).target, "bin/su");
      assert.deepEqual([at(5).major, at(5).minor], [10, 232]);
      assert.deepEqual(contentOf(entries[2], data), Buffer.alloc(5000, "x"));
      assert.deepEqual(contentOf(entries[11], data), Buffer.alloc(4096, 7));
      assert.deepEqual(rebuilt, tar);
    });
  }

  for (const [name, blob] of [
    ["gzip", gzipSync(tar)],
    ["zstd", zstdCompressSync(tar)],
  ] as const)
    test(`reads a ${name} layer and puts its tar stream together again`, async () => {
      assert.deepEqual((await readBack(tar, { blob })).rebuilt, tar);
    });

  test("keeps names and link targets that are no UTF-8 and no ASCII to the byte", async () => {
    const name = "caf\xe9/\xff\xfe\x80";
    const long = `${"d\xe9".repeat(60)}/${"n".repeat(200)}`;
    const { entries } = await readBack(
      tarStream(
        { name },
        gnuLong("L", long),
        gnuLong("K", `../${long}`),
        { name: "x", type: "2", link: "y" },
        paxMember([
          ["path", `pax-${long}`],
          ["linkpath", `to-${long}`],
        ]),
        { name: "x", type: "2", link: "y" },
      ),
    );
    assert.equal(entries[0]?.path, name);
    assert.equal(entries[1]?.path, long);
    assert.equal(entries[1]?.type === "symlink" && entries[1].target, `../${long}`);
    assert.equal(entries[2]?.path, `pax-${long}`);
    assert.equal(entries[2]?.type === "symlink" && entries[2].target, `to-${long}`);
  });

  test("joins the prefix of a POSIX header, and no other format's", async () => {
    const { entries } = await readBack(
      tarStream(
        { name: "b", patch: (header) => header.write("a/deep", 345, "latin1") },
        {
          name: "b",
          patch: (header) => {
            header.write("ustar  \0", 257, "latin1");
            header.write("a/deep", 345, "latin1");
          },
        },
      ),
    );
    assert.deepEqual(
      entries.map((entry) => entry.path),
      ["a/deep/b", "b"],
    );
  });

  test("takes owners, times and attributes from PAX headers", async () => {
    const capability = "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const { entries } = await readBack(
      tarStream(
        paxMember([
          ["uid", "4000000000"],
          ["gid", "3000000"],
          ["mtime", "1700000000.123456789"],
          ["SCHILY.xattr.security.capability", capability],
          ["LIBARCHIVE.xattr.user.sp%20ace", Buffer.from("w\n").toString("base64")],
          ["SCHILY.xattr.trusted.overlay.opaque", "y"],
        ]),
        { name: "f" },
        paxMember([["mtime", "-1.5"]]),
        { name: "g" },
      ),
    );
    const [f, g] = entries;
    assert.deepEqual(
      [f?.uid, f?.gid, f?.mtime, f?.mtimeNanoseconds],
      [4e9, 3e6, 1.7e9, 123_456_789],
    );
    assert.deepEqual(
      [...(f?.xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value).toString("latin1")]),
      [
        ["security.capability", capability],
        ["user.sp ace", "w\n"],
      ],
    );
    assert.deepEqual([g?.mtime, g?.mtimeNanoseconds, g?.xattrs.size], [-2, 500_000_000, 0]);
  });

  test("takes base-256 numbers, the negative ones of times too", async () => {
    const { entries } = await readBack(
      tarStream({
        name: "f",
        patch: (header) => {
          header.writeUInt32BE(0x80000000, 108);
          header.writeUInt32BE(3_000_000_000, 112);
          header.fill(0xff, 136, 148);
          header.writeInt32BE(-5, 144);
        },
      }),
    );
    assert.deepEqual([entries[0]?.uid, entries[0]?.mtime], [3_000_000_000, -5]);
  });

  test("takes the old format's directories, and headers without data whatever their size says", async () => {
    const { entries } = await readBack(
      tarStream(
        { name: "old/", type: "\0" },
        { name: "old/f", type: "\0", data: "z" },
        { name: "d", type: "5", size: 4096 },
        { name: "s", type: "2", link: "d", size: 77 },
      ),
    );
    assert.deepEqual(
      entries.map(({ type }) => type),
      ["directory", "file", "directory", "symlink"],
    );
  });

  test("makes paths relative and clean", async () => {
    const names = ["/abs", "./dot", "a//b/./c/", "x/../y", "//", "..a/...b"];
    const { entries } = await readBack(tarStream(...names.map((name) => ({ name, type: "5" }))));
    assert.deepEqual(
      entries.map(({ path }) => path),
      ["abs", "dot", "a/b/c", "y", "", "..a/...b"],
    );
  });

  test("skips AUFS's own files and does not apply global headers, as Docker does", async () => {
    const { entries } = await readBack(
      tarStream(
        paxMember(
          [
            ["comment", "x"],
            ["path", "evil"],
          ],
          "g",
        ),
        { name: ".wh..wh.plnk/1.2", data: "x" },
        { name: "f" },
      ),
    );
    assert.deepEqual(
      entries.map(({ path }) => path),
      ["f"],
    );
  });

  test("takes streams that end without blocks of zeros or padding", async () => {
    for (const end of [1536, 1024, 512 + 5]) {
      const { entries, rebuilt } = await readBack(
        tarStream({ name: "f", data: "12345" }).subarray(0, end),
      );
      assert.equal(entries.length, 1);
      assert.equal(rebuilt.length, end);
    }
    assert.equal((await readBack(Buffer.alloc(0))).entries.length, 0);
    assert.equal((await readBack(Buffer.alloc(10_240))).entries.length, 0);
  });

  test("leaves long zeros of a file out of the data file's blocks", async () => {
    const data = Buffer.concat([
      Buffer.alloc(1 << 20),
      Buffer.alloc(100_000, 1),
      Buffer.alloc(1 << 20),
    ]);
    const result = await readBack(tarStream({ name: "a", data: "x" }, { name: "f", data }));
    assert.deepEqual(contentOf(result.entries[1], result.data), data);
  });
});
