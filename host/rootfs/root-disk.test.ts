import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Layer, LayerEntry } from "./entry.ts";
import { readErofs, type SeenInode } from "./erofs/test-reader.ts";
import { findRootDisk, makeRootDisk, type RootDisk } from "./root-disk.ts";
import { joinToFile, layerOf, sha256 } from "./test-layers.ts";

const BLOCK = 4096;
const folder = mkdtempSync(join(tmpdir(), "dvm-rootdisk-"));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

const base = { mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNanoseconds: 0, xattrs: new Map() };

/** A layer of regular files, path to content. */
function layer(files: Record<string, string>): Layer {
  count += 1;
  const members = Object.entries(files).map(([path, text]) => {
    const entry: LayerEntry = { ...base, type: "file", path, size: text.length, data: [] };
    return { entry, content: Buffer.from(text) };
  });
  return layerOf(members, join(folder, `layer-${count}`));
}

function freshFolder(): string {
  count += 1;
  return join(folder, `disks-${count}`);
}

function readDisk(disk: RootDisk): { seen: Map<string, SeenInode>; image: Buffer } {
  const path = join(folder, "joined");
  joinToFile(disk.extents, path);
  const out = execFileSync("fsck.erofs", [path], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  assert.equal(out, "");
  const image = readFileSync(path);
  return { seen: readErofs((offset, length) => image.subarray(offset, offset + length)), image };
}

const content = (disk: RootDisk, path: string) => readDisk(disk).seen.get(path)?.content;
const digest = (text: string) => sha256(Buffer.from(text));

test("joins metadata and the data of all layers into one disk that fsck.erofs has nothing to say of", async () => {
  const layers = [
    layer({ "a/one": "first", two: "x".repeat(9000) }),
    layer({ "a/three": "third", two: "new" }),
  ];
  const disk = await makeRootDisk({ layers, directory: freshFolder() });
  const { seen, image } = readDisk(disk);
  assert.deepEqual([...seen.keys()].sort(), ["", "a", "a/one", "a/three", "two"]);
  assert.equal(seen.get("a/one")?.content, digest("first"));
  assert.equal(seen.get("two")?.content, digest("new"));
  assert.equal(image.length, disk.bytes);
  const files = disk.extents.flatMap((extent) => (extent.kind === "file" ? [extent.path] : []));
  assert.deepEqual(files, [disk.metadataPath, layers[0]?.dataPath, layers[1]?.dataPath]);
});

test("extents are whole blocks, the disk whole granules, and the superblock counts what is used", async () => {
  const disk = await makeRootDisk({ layers: [layer({ a: "1" })], directory: freshFolder() });
  assert.equal(
    disk.extents.reduce((sum, { length }) => sum + length, 0),
    disk.bytes,
  );
  assert.ok(disk.extents.every(({ length }) => length > 0 && length % BLOCK === 0));
  assert.equal(disk.bytes % 2 ** 20, 0);
  const { image } = readDisk(disk);
  const used = disk.extents.reduce(
    (sum, extent) => sum + (extent.kind === "file" ? extent.length : 0),
    0,
  );
  assert.equal(image.readUInt32LE(1024 + 36), used / BLOCK);
});

test("an image without layers is an empty root", async () => {
  const disk = await makeRootDisk({ layers: [], directory: freshFolder() });
  assert.deepEqual([...readDisk(disk).seen.keys()], [""]);
});

test("a layer named twice has its data joined once", async () => {
  const twice = layer({ a: "same" });
  const disk = await makeRootDisk({
    layers: [twice, layer({ b: "other" }), twice],
    directory: freshFolder(),
  });
  assert.equal(disk.extents.filter(({ kind }) => kind === "file").length, 3);
  assert.equal(content(disk, "a"), digest("same"));
  assert.equal(content(disk, "b"), digest("other"));
});

test("a disk that is there is found without the layers' entries, and not written again", async () => {
  const layers = [layer({ a: "1" })];
  const directory = freshFolder();
  assert.equal(await findRootDisk({ layers, directory }), undefined);
  const made = await makeRootDisk({ layers, directory });
  utimesSync(made.metadataPath, 1, 1);
  const withoutEntries = layers.map(({ diffId, dataPath, dataLength }) => ({
    diffId,
    dataPath,
    dataLength,
  }));
  assert.deepEqual(await findRootDisk({ layers: withoutEntries, directory }), made);
  assert.deepEqual(await makeRootDisk({ layers, directory }), made);
  assert.equal(statSync(made.metadataPath).mtimeMs, 1000);
});

test("the order of layers, and each of them, decides which disk it is", async () => {
  const [a, b] = [layer({ x: "a" }), layer({ x: "b" })];
  const directory = freshFolder();
  const disks = await Promise.all(
    [[a, b], [b, a], [a], [b]].map((layers) => makeRootDisk({ layers, directory })),
  );
  assert.equal(new Set(disks.map((disk) => disk.digest)).size, 4);
  assert.deepEqual(
    disks.map((disk) => content(disk, "x")),
    ["b", "a", "a", "b"].map(digest),
  );
});

test("the same layers give the same bytes in any folder", async () => {
  const layers = [layer({ a: "1", b: "2" }), layer({ c: "3" })];
  const disks = await Promise.all(
    [1, 2].map(() => makeRootDisk({ layers, directory: freshFolder() })),
  );
  const [first, second] = disks.map(({ metadataPath }) => readFileSync(metadataPath));
  assert.deepEqual(first, second);
});

test("makers at the same time leave one whole file", async () => {
  const layers = [layer({ a: "1" })];
  const directory = freshFolder();
  const disks = await Promise.all(
    Array.from({ length: 8 }, () => makeRootDisk({ layers, directory })),
  );
  assert.equal(new Set(disks.map(({ metadataPath }) => metadataPath)).size, 1);
  assert.equal(readdirSync(directory).length, 1);
});

test("a metadata file that is cut off or overwritten is made again", async () => {
  const layers = [layer({ a: "1" })];
  const directory = freshFolder();
  const { metadataPath } = await makeRootDisk({ layers, directory });
  const whole = readFileSync(metadataPath);
  for (const damage of [
    () => truncateSync(metadataPath, 0),
    () => truncateSync(metadataPath, whole.length + BLOCK),
    () => writeFileSync(metadataPath, Buffer.alloc(whole.length)),
    () => writeFileSync(metadataPath, Buffer.from(whole).fill(0xff, 1024 + 36, 1024 + 40)),
  ]) {
    damage();
    assert.equal(await findRootDisk({ layers, directory }), undefined);
    await makeRootDisk({ layers, directory });
    assert.deepEqual(readFileSync(metadataPath), whole);
  }
});

test("partial files of makers that died are removed, those of the living are not", async () => {
  const directory = freshFolder();
  mkdirSync(directory);
  const dead = `x.erofs.${2 ** 22 + 1}.0123456789ab.partial`;
  const alive = `x.erofs.${process.pid}.0123456789ab.partial`;
  writeFileSync(join(directory, dead), "");
  writeFileSync(join(directory, alive), "");
  await makeRootDisk({ layers: [layer({ a: "1" })], directory });
  const names = readdirSync(directory);
  assert.ok(names.includes(alive) && !names.includes(dead), names.join());
});

test("a folder that cannot be written to is named, with the cause", async () => {
  const directory = join(folder, "a-file");
  writeFileSync(directory, "");
  await assert.rejects(makeRootDisk({ layers: [layer({ a: "1" })], directory }), {
    code: "ROOTFS_WRITE_FAILED",
    message: /a-file/,
  });
});

test("a run outside its layer's data is refused before anything is written", async () => {
  const good = layer({ a: "1" });
  const entry: LayerEntry = {
    ...base,
    type: "file",
    path: "a",
    size: 1,
    data: [{ fileOffset: 0, dataOffset: BLOCK, length: 1 }],
  };
  const directory = freshFolder();
  await assert.rejects(makeRootDisk({ layers: [{ ...good, entries: [entry] }], directory }), {
    code: "ROOTFS_BAD_DATA",
  });
  await assert.rejects(async () => readdirSync(directory), { code: "ENOENT" });
});

test("a disk beyond 16 TiB is refused", async () => {
  const huge = { ...layer({ a: "1" }), dataLength: 2 ** 44 };
  await assert.rejects(makeRootDisk({ layers: [huge], directory: freshFolder() }), {
    code: "ROOTFS_TOO_LARGE",
  });
});
