import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Layer, LayerEntry } from "../entry.ts";
import { mergeLayers } from "../merge.ts";
import { layerOf, sha256 } from "../test-layers.ts";
import { makeWritableDisk } from "../writable-disk.ts";
import { populateExt4 } from "./populate.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-ext4-"));
after(() => rmSync(folder, { recursive: true }));
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
let count = 0;

const base = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 1_700_000_000,
  mtimeNanoseconds: 0,
  xattrs: new Map<string, Uint8Array>(),
};

type Given = Partial<LayerEntry> & Pick<LayerEntry, "type" | "path">;

function layer(members: readonly (Given & { readonly content?: Buffer })[]): Layer {
  const path = join(folder, `data-${count++}`);
  return layerOf(
    members.map(({ content = Buffer.alloc(0), ...entry }) => ({
      entry: { ...base, size: content.length, data: [], ...entry } as LayerEntry,
      content,
    })),
    path,
  );
}

async function diskOf(layers: readonly Layer[], bytes = 256 * 2 ** 20): Promise<string> {
  const path = join(folder, `disk-${count++}`);
  await makeWritableDisk({ path, bytes, plainGroups: true });
  const dataPaths = layers.map(({ dataPath }) => dataPath);
  await populateExt4({ path, tree: mergeLayers(layers), name: "root", dataPaths });
  return path;
}

function check(disk: string): void {
  execFileSync("e2fsck", ["-f", "-n", disk], { env, stdio: "pipe" });
}

const debugfs = (disk: string, command: string) =>
  execFileSync("debugfs", ["-R", command, disk], {
    env,
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 2 ** 24,
  });
const content = (disk: string, path: string) => debugfs(disk, `cat "/root/${path}"`);
const status = (disk: string, path: string) => debugfs(disk, `stat "/root/${path}"`).toString();

test("every kind of file, owner, mode and time is on the disk, which e2fsck finds clean", async () => {
  const long = "t".repeat(100);
  const disk = await diskOf([
    layer([
      { type: "directory", path: "", mode: 0o755 },
      { type: "directory", path: "dir", mode: 0o1777, uid: 70_000, gid: 100_001 },
      { type: "file", path: "dir/file", mode: 0o4755, uid: 7, gid: 8, content: Buffer.from("hi") },
      { type: "hardlink", path: "other name", target: "dir/file" },
      { type: "symlink", path: "short", target: "dir/file" },
      { type: "symlink", path: "long", target: long },
      { type: "character", path: "null", major: 1, minor: 3 },
      { type: "block", path: "far", major: 259, minor: 70_000 },
      { type: "fifo", path: "fifo" },
      { type: "socket", path: "socket" },
      { type: "file", path: "empty" },
      { type: "file", path: "old", mtime: -5, mtimeNanoseconds: 7 },
      { type: "file", path: "late", mtime: 2 ** 32 + 5, mtimeNanoseconds: 999_999_999 },
    ]),
  ]);
  check(disk);
  assert.equal(content(disk, "dir/file").toString(), "hi");
  assert.match(
    status(disk, "other name"),
    /Mode: {2}04755[\s\S]*User: +7 +Group: +8 [\s\S]*Links: 2/,
  );
  assert.match(status(disk, "dir"), /Mode: {2}01777[\s\S]*User: 70000 +Group: 100001/);
  assert.match(status(disk, "short"), /Fast link dest: "dir\/file"/);
  assert.match(status(disk, "long"), /Size: 100\b/);
  assert.equal(content(disk, "long").toString(), long);
  assert.match(status(disk, "null"), /character special[\s\S]*01:03/);
  assert.match(status(disk, "far"), /block special[\s\S]*259:70000/i);
  assert.match(status(disk, "fifo"), /Type: FIFO/);
  assert.match(status(disk, "socket"), /Type: socket/);
  assert.match(status(disk, "old"), /mtime: 0xfffffffb:0000001c/);
  assert.match(status(disk, "late"), /mtime: 0x00000005:ee6b27fd/);
});

test("a file of more names than ext4 counts is refused", async () => {
  const names = Array.from({ length: 65_000 }, (_, index) => `links/${index}`);
  const links = names.map((path) => ({ type: "hardlink", path, target: "file" }) as const);
  await assert.rejects(diskOf([layer([{ type: "file", path: "file" }, ...links])]), {
    code: "ROOTFS_TOO_LARGE",
    message: "the image has a file of over 65000 names",
  });
});

test("content comes from the layer that has it, with holes where its runs have none", async () => {
  const lower = layer([
    { type: "file", path: "a", content: Buffer.alloc(10_000, "a") },
    { type: "file", path: "b", content: Buffer.alloc(3_000_000, "b") },
  ]);
  const upper = layer([{ type: "file", path: "a", content: Buffer.alloc(5000, "n") }]);
  const sparse = layer([{ type: "file", path: "s", content: Buffer.alloc(8192, "s") }]);
  const [entry] = sparse.entries;
  assert.ok(entry?.type === "file");
  const holes = {
    ...entry,
    size: 2 ** 33,
    data: [
      { fileOffset: 4096, dataOffset: 0, length: 4096 },
      { fileOffset: 2 ** 32, dataOffset: 4096, length: 4096 },
    ],
  };
  const disk = await diskOf([lower, upper, { ...sparse, entries: [holes] }]);
  check(disk);
  assert.deepEqual(content(disk, "a"), Buffer.alloc(5000, "n"));
  assert.equal(sha256(content(disk, "b")), sha256(Buffer.alloc(3_000_000, "b")));
  const text = status(disk, "s");
  assert.match(text, /Size: 8589934592/);
  assert.match(text, /Blockcount: 16\b/);
  assert.match(text, /\(1\):\d+, \(1048576\):\d+/);
});

test("folders of thousands, and files of thousands of pieces, are whole", async () => {
  const many = Array.from({ length: 3000 }, (_, index) => ({
    type: "file" as const,
    path: `many/${"n".repeat(200)}${index}`,
    content: Buffer.from(`${index}`),
  }));
  const pieces = layer([{ type: "file", path: "pieces", content: Buffer.alloc(4096 * 2000, "p") }]);
  const [entry] = pieces.entries;
  assert.ok(entry?.type === "file");
  const data = Array.from({ length: 2000 }, (_, index) => ({
    fileOffset: index * 8192,
    dataOffset: index * 4096,
    length: 4096,
  }));
  const disk = await diskOf([
    layer(many),
    { ...pieces, entries: [{ ...entry, size: 2000 * 8192, data }] },
  ]);
  check(disk);
  assert.equal(content(disk, `many/${"n".repeat(200)}2999`).toString(), "2999");
  assert.match(status(disk, "pieces"), /\(ETB0\):\d+/);
  assert.ok(statSync(disk).blocks * 512 < 40 * 2 ** 20);
});

test("attributes are in the inode or in a block, capabilities and access lists as the kernel reads them", async () => {
  const acl = Buffer.from(
    "0200000001000600ffffffff02000700e803000004000400ffffffff10000700ffffffff20000400ffffffff",
    "hex",
  );
  const disk = await diskOf([
    layer([
      {
        type: "file",
        path: "small",
        xattrs: new Map([["security.capability", new Uint8Array(20).fill(1)]]),
      },
      {
        type: "file",
        path: "large",
        xattrs: new Map([
          ["user.long", new Uint8Array(1500).fill(0x61)],
          ["user.b", new Uint8Array(3).fill(0x62)],
          ["trusted.overlay.opaque", new Uint8Array(1).fill(0x79)],
          ["security.selinux", new Uint8Array(1)],
        ]),
      },
      { type: "file", path: "listed", xattrs: new Map([["system.posix_acl_access", acl]]) },
    ]),
  ]);
  check(disk);
  const names = (path: string) => debugfs(disk, `ea_list "/root/${path}"`).toString();
  assert.match(names("small"), /security\.capability \(20\)/);
  assert.match(names("large"), /user\.b \(3\) = "bbb"[\s\S]*user\.long \(1500\)/);
  assert.doesNotMatch(names("large"), /overlay|selinux/);
  assert.match(names("listed"), /system\.posix_acl_access/);
});

test("an image that does not fit says so, with what to do", async () => {
  const big = layer([{ type: "file", path: "big", content: Buffer.alloc(20 * 2 ** 20, "x") }]);
  await assert.rejects(diskOf([big], 16 * 2 ** 20), { code: "ROOTFS_TOO_LARGE", hint: /size=/ });
  const many = Array.from({ length: 5000 }, (_, each) => ({
    type: "fifo" as const,
    path: `${each}`,
  }));
  await assert.rejects(diskOf([layer(many)], 16 * 2 ** 20), {
    code: "ROOTFS_TOO_LARGE",
    message: /inodes/,
  });
});

test("runs that overlap or reach beyond their file are refused", async () => {
  const good = layer([{ type: "file", path: "f", content: Buffer.alloc(8192) }]);
  const [entry] = good.entries;
  assert.ok(entry?.type === "file");
  for (const data of [
    [{ fileOffset: 4096, dataOffset: 0, length: 8192 }],
    [
      { fileOffset: 4096, dataOffset: 0, length: 4096 },
      { fileOffset: 0, dataOffset: 4096, length: 4096 },
    ],
  ]) {
    await assert.rejects(diskOf([{ ...good, entries: [{ ...entry, data }] }]), {
      code: "ROOTFS_BAD_DATA",
    });
  }
});

test("a disk that is so large that mkfs would leave out bitmaps takes a tree too", async () => {
  const disk = await diskOf([layer([{ type: "fifo", path: "fifo" }])], 70 * 2 ** 30);
  assert.match(status(disk, "fifo"), /Type: FIFO/);
});

test("the kernel mounts it and writes on it", { skip: process.getuid?.() !== 0 }, async () => {
  const disk = await diskOf([
    layer([
      { type: "directory", path: "etc", mode: 0o700, uid: 1, gid: 2 },
      { type: "file", path: "etc/f", content: Buffer.from("content"), mtimeNanoseconds: 123 },
      {
        type: "file",
        path: "big-xattr",
        xattrs: new Map([["user.long", new Uint8Array(1500).fill(0x61)]]),
      },
    ]),
  ]);
  check(disk);
  const at = join(folder, "mounted");
  mkdirSync(at);
  try {
    execFileSync("mount", ["-o", "loop", disk, at], { env });
  } catch {
    return;
  }
  try {
    execFileSync("sh", ["-ec", `grep -q content ${at}/root/etc/f; echo more >> ${at}/root/etc/f`]);
    const { uid, gid, mode } = statSync(join(at, "root/etc"));
    assert.deepEqual([uid, gid, mode & 0o7777], [1, 2, 0o700]);
    const long = execFileSync("python3", [
      "-c",
      `import os; print(len(os.getxattr("${at}/root/big-xattr", "user.long")))`,
    ]);
    assert.equal(long.toString().trim(), "1500");
  } finally {
    execFileSync("umount", [at], { env });
  }
  check(disk);
});
