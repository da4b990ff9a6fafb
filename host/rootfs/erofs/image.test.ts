import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { showXattrs } from "../test-layers.ts";
import { MountedImage, whyNoMount } from "../test-mount.ts";
import { type Attributes, type DirectoryNode, emptyFolder, type TreeNode } from "../tree.ts";
import { crc32c } from "./crc32c.ts";
import { writeErofs } from "./image.ts";
import { planErofs } from "./plan.ts";
import { readErofs, type SeenInode } from "./test-reader.ts";

const BLOCK = 4096;
const RUNS = Number(process.env.DVM_FUZZ_RUNS ?? 60);
const folder = mkdtempSync(join(tmpdir(), "dvm-erofs-"));
after(() => rmSync(folder, { recursive: true }));

const plain: Attributes = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 1_700_000_000,
  mtimeNanoseconds: 0,
  xattrs: new Map(),
};
/** A layer's data file of 64 blocks, no two alike. */
const layerData = Buffer.alloc(
  64 * BLOCK,
  (() => {
    const blocks = Array.from({ length: 64 }, (_, index) =>
      Buffer.alloc(BLOCK, createHash("sha512").update(`${index}`).digest()),
    );
    return Buffer.concat(blocks);
  })(),
);

function imageOf(root: DirectoryNode): Buffer {
  const plan = planErofs(root);
  const totalBlocks = plan.metadataBlocks + layerData.length / BLOCK;
  const options = {
    layerBlocks: [plan.metadataBlocks],
    totalBlocks,
    uuid: new Uint8Array(16).fill(7),
  };
  const pieces = [...mapPieces(writeErofs(plan, options))];
  assert.equal(
    pieces.reduce((sum, { length }) => sum + length, 0),
    plan.metadataBlocks * BLOCK,
  );
  return Buffer.concat([...pieces, layerData]);
}

function* mapPieces(pieces: Iterable<Uint8Array>): Generator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

const readOf = (image: Buffer) => (offset: number, length: number) => {
  assert.ok(offset <= image.length, "read within the disk");
  return Buffer.concat([image.subarray(offset, offset + length)], length);
};

function folderOf(children: Record<string, TreeNode>, attributes = plain): DirectoryNode {
  return { type: "directory", attributes, children: new Map(Object.entries(children)) };
}

function fileOf(size: number, runs: readonly (readonly [number, number, number])[] = []): TreeNode {
  const data = runs.map(([fileBlock, dataBlock, length]) => ({
    fileOffset: fileBlock * BLOCK,
    dataOffset: dataBlock * BLOCK,
    length,
  }));
  return { type: "file", attributes: plain, size, data, layer: 0 };
}

/** Runs fsck.erofs, which must have nothing to say. */
function fsck(image: Buffer): string {
  const path = join(folder, "fsck.erofs");
  writeFileSync(path, image);
  const out = execFileSync("fsck.erofs", [path], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  assert.equal(out, "");
  return path;
}

/** What a reader must find: path to inode, worked out from the tree alone. */
function expected(root: DirectoryNode): Map<string, Omit<SeenInode, "nid" | "size">> {
  const links = new Map<TreeNode, number>([[root, 2]]);
  const paths = new Map<string, TreeNode>([["", root]]);
  const visit = (dir: DirectoryNode, prefix: string) => {
    for (const [name, node] of dir.children) {
      paths.set(prefix + name, node);
      links.set(node, (links.get(node) ?? (node.type === "directory" ? 1 : 0)) + 1);
      if (node.type !== "directory") continue;
      links.set(dir, (links.get(dir) ?? 0) + 1);
      visit(node, `${prefix}${name}/`);
    }
  };
  visit(root, "");
  const contents = new Map([...links.keys()].map((node) => [node, contentOf(node)]));
  const xattrs = new Map(
    [...links.keys()].map((node) => [node, showXattrs(node.attributes.xattrs)]),
  );
  return new Map(
    [...paths].map(([path, node]) => [
      path,
      {
        type: node.type,
        mode: node.type === "symlink" ? 0o777 : node.attributes.mode,
        uid: node.attributes.uid,
        gid: node.attributes.gid,
        mtime: node.attributes.mtime,
        mtimeNanoseconds: node.attributes.mtimeNanoseconds,
        links: links.get(node) ?? 0,
        content: contents.get(node) ?? "",
        xattrs: xattrs.get(node) ?? "",
      },
    ]),
  );
}

function contentOf(node: TreeNode): string {
  if (node.type === "symlink") return node.target;
  if (node.type === "character" || node.type === "block") return `${node.major}:${node.minor}`;
  if (node.type !== "file") return "";
  const content = Buffer.alloc(node.size);
  for (const { fileOffset, dataOffset, length } of node.data)
    layerData.copy(content, fileOffset, dataOffset, dataOffset + length);
  return createHash("sha256").update(content).digest("hex");
}

function checkRoundTrip(root: DirectoryNode): Buffer {
  const image = imageOf(root);
  const lines = (tree: Map<string, object>) =>
    [...tree]
      .map(([path, inode]) => JSON.stringify([path, ...Object.entries(inode).sort()]))
      .sort();
  const seen = [...readErofs(readOf(image))].map(
    ([path, { nid: _nid, size: _size, ...rest }]) => [path, rest] as const,
  );
  assert.deepEqual(lines(new Map(seen)), lines(expected(root)));
  return image;
}

const bytes = (constraints: fc.IntArrayConstraints) =>
  fc.uint8Array(constraints).map((array) => Buffer.from(array).toString("latin1"));
const nameArb = fc
  .oneof(
    { weight: 4, arbitrary: fc.string({ minLength: 1, maxLength: 12, unit: "binary-ascii" }) },
    { weight: 1, arbitrary: bytes({ minLength: 1, maxLength: 255 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("!", "-", "...", ".a", "..a", "\xff", "a".repeat(255)),
    },
  )
  .filter((name) => name !== "." && name !== ".." && !/[\0/]/.test(name));
const xattrsArb = fc.oneof(
  { weight: 3, arbitrary: fc.constant(new Map<string, Uint8Array>()) },
  {
    weight: 1,
    arbitrary: fc
      .array(
        fc.tuple(
          fc.constantFrom(
            "user.a",
            "user.bb",
            "trusted.c",
            "security.capability",
            "system.posix_acl_access",
            "system.posix_acl_default",
            `user.${"n".repeat(255)}`,
          ),
          fc.oneof(
            fc.constant(new Uint8Array([1, 2, 3])),
            fc.uint8Array({ maxLength: 300 }),
            fc.constant(new Uint8Array(5000).fill(9)),
            fc.constant(new Uint8Array(65535)),
          ),
        ),
        { maxLength: 5 },
      )
      .map((list) => new Map(list.slice(0, 2))),
  },
);
const attributesArb: fc.Arbitrary<Attributes> = fc.record({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.constantFrom(0, 1000, 65535, 65536, 0xffff_fffe),
  gid: fc.constantFrom(0, 1000, 65535, 65536),
  mtime: fc.constantFrom(0, 1_700_000_000, 1_700_000_000, -1, -5_000_000_000, 5_000_000_000),
  mtimeNanoseconds: fc.constantFrom(0, 0, 1, 999_999_999),
  xattrs: xattrsArb,
});
/** A file of up to 40 blocks out of runs and holes, its end anywhere in its last block. */
const fileArb = fc
  .record({
    attributes: attributesArb,
    pieces: fc.array(
      fc.record({
        hole: fc.integer({ min: 0, max: 4 }),
        blocks: fc.integer({ min: 1, max: 4 }),
        from: fc.integer({ min: 0, max: 59 }),
      }),
      { maxLength: 4 },
    ),
    hole: fc.integer({ min: 0, max: 9 }),
    cut: fc.integer({ min: 0, max: BLOCK - 1 }),
  })
  .map(({ attributes, pieces, hole, cut }): TreeNode => {
    let block = 0;
    const data = pieces.map((piece) => {
      const run = {
        fileOffset: (block + piece.hole) * BLOCK,
        dataOffset: piece.from * BLOCK,
        length: piece.blocks * BLOCK,
      };
      block += piece.hole + piece.blocks;
      return run;
    });
    const last = data.at(-1);
    if (last !== undefined && hole === 0)
      data[data.length - 1] = { ...last, length: last.length - cut };
    return {
      type: "file",
      attributes,
      size: Math.max(0, (block + hole) * BLOCK - cut),
      data,
      layer: 0,
    };
  });
const leafArb: fc.Arbitrary<TreeNode> = fc.oneof(
  fileArb,
  fc.record({
    type: fc.constant("symlink" as const),
    attributes: attributesArb,
    target: fc.oneof(
      bytes({ minLength: 1, maxLength: 60 }),
      fc.constantFrom("x".repeat(4095), "y".repeat(4000), "z".repeat(2100)),
    ),
  }),
  fc.record({
    type: fc.constantFrom("fifo" as const, "socket" as const),
    attributes: attributesArb,
  }),
  fc.record({
    type: fc.constantFrom("character" as const, "block" as const),
    attributes: attributesArb,
    major: fc.integer({ min: 0, max: 4095 }),
    minor: fc.integer({ min: 0, max: 0xfffff }),
  }),
);
const treeArb: fc.Arbitrary<DirectoryNode> = fc.letrec<{ folder: DirectoryNode; node: TreeNode }>(
  (tie) => ({
    folder: fc
      .record({
        attributes: attributesArb,
        children: fc.array(fc.tuple(nameArb, tie("node")), { maxLength: 12 }),
        many: fc.oneof(
          { weight: 9, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: 1, max: 400 }) },
        ),
        twice: fc.boolean(),
      })
      .map(({ attributes, children, many, twice }): DirectoryNode => {
        const map = new Map(children);
        const shared = children.find(([, node]) => node.type !== "directory")?.[1];
        for (let index = 0; index < many; index += 1)
          map.set(`many-${index}`, shared ?? { type: "fifo", attributes });
        if (twice && shared !== undefined) map.set("second name", shared);
        return { type: "directory", attributes, children: map };
      }),
    node: fc.oneof({ depthSize: "small", withCrossShrink: true }, leafArb, tie("folder")),
  }),
).folder;

test("whatever tree is written is read back the same", () => {
  fc.assert(
    fc.property(treeArb, (root) => void checkRoundTrip(root)),
    { numRuns: RUNS },
  );
});

test("fsck.erofs finds nothing to say of any tree", () => {
  for (const root of fc.sample(treeArb, 25)) fsck(imageOf(root));
});

test("the same tree gives the same bytes", () => {
  for (const root of fc.sample(treeArb, 5)) assert.deepEqual(imageOf(root), imageOf(root));
});

test("an empty image is one block of metadata", () => {
  const image = checkRoundTrip(emptyFolder());
  assert.equal(image.length - layerData.length, BLOCK);
  fsck(image);
});

test("a folder of 100,000 files is read back, checked, and every name is found by the kernel", (t) => {
  const children = new Map<string, TreeNode>();
  for (let index = 0; index < 100_000; index += 1)
    children.set(`file-${index}`, { type: "fifo", attributes: plain });
  const root = folderOf({ big: { type: "directory", attributes: plain, children } });
  const image = imageOf(root);
  assert.equal(readErofs(readOf(image)).size, 100_002);
  const path = fsck(image);
  const skip = whyNoMount();
  if (skip) return t.diagnostic(`not mounted: ${skip}`);
  using mounted = new MountedImage(path);
  assert.equal(readdirSync(join(mounted.path, "big")).length, 100_000);
  for (let index = 0; index < 100_000; index += 997) {
    assert.ok(statSync(join(mounted.path, "big", `file-${index}`)).isFIFO());
  }
});

test("folders whose dirents end right at, before and after a block's end are read back", () => {
  for (const count of [14, 15, 16, 17, 31, 32]) {
    for (const length of [255, 254, 244, 243, 116, 117]) {
      const names = Array.from(
        { length: count },
        (_, index) =>
          [String(index).padStart(length, "n"), { type: "fifo", attributes: plain }] as const,
      );
      checkRoundTrip(folderOf(Object.fromEntries(names)));
    }
  }
});

test("many metadata blocks leave the buffer piece by piece, the superblock first", () => {
  const children: Record<string, TreeNode> = {};
  for (let index = 0; index < 30_000; index += 1)
    children[`f${index}`] = { ...fileOf(0), attributes: { ...plain, mtime: index } };
  const image = checkRoundTrip(folderOf({ d: folderOf(children) }));
  assert.ok(image.length > 2 * 2 ** 20);
});

test("files are read back whatever their holes and runs, by the kernel too", (t) => {
  const root = folderOf({
    empty: fileOf(0),
    byte: fileOf(1, [[0, 1, 1]]),
    block: fileOf(BLOCK, [[0, 2, BLOCK]]),
    whole: fileOf(3 * BLOCK + 5, [[0, 3, 3 * BLOCK + 5]]),
    hole: fileOf(5 * BLOCK + 1),
    hugeHole: fileOf(2 ** 43),
    headHole: fileOf(2 * BLOCK + 9, [[2, 7, 9]]),
    tailHole: fileOf(9 * BLOCK, [[0, 8, BLOCK]]),
    middle: fileOf(8 * BLOCK, [
      [0, 9, 2 * BLOCK],
      [6, 20, 2 * BLOCK],
    ]),
    joined: fileOf(4 * BLOCK, [
      [0, 30, BLOCK],
      [1, 31, 3 * BLOCK],
    ]),
    swapped: fileOf(2 * BLOCK, [
      [0, 41, BLOCK],
      [1, 40, BLOCK],
    ]),
    far: fileOf(2 ** 32 + BLOCK, [[2 ** 20, 50, BLOCK]]),
  });
  const image = imageOf(root);
  const seen = new Map(
    // Files of more than 4 GiB are looked at through the kernel below.
    [
      ...readErofs(
        readOf(
          imageOf(
            folderOf(
              Object.fromEntries(
                [...root.children].filter(([name]) => name !== "hugeHole" && name !== "far"),
              ),
            ),
          ),
        ),
      ),
    ].map(([path, { content }]) => [path, content]),
  );
  for (const [name, node] of root.children) {
    if (seen.has(name)) assert.equal(seen.get(name), contentOf(node), name);
  }
  const path = fsck(image);
  const skip = whyNoMount();
  if (skip) return t.diagnostic(`not mounted: ${skip}`);
  using mounted = new MountedImage(path);
  for (const name of seen.keys()) {
    if (name === "") continue;
    const content = readFileSync(join(mounted.path, name));
    assert.equal(createHash("sha256").update(content).digest("hex"), seen.get(name), name);
  }
  assert.equal(statSync(join(mounted.path, "hugeHole")).size, 2 ** 43);
  const tail = execFileSync("tail", ["-c", String(BLOCK + 3), join(mounted.path, "far")]);
  assert.deepEqual(
    tail,
    Buffer.concat([Buffer.alloc(3), layerData.subarray(50 * BLOCK, 51 * BLOCK)]),
  );
});

test("a file in one run needs no map, and one with an aligned hole a short one", () => {
  const tailOf = (node: TreeNode) => planErofs(folderOf({ f: node })).inodes[1]?.tail;
  assert.equal(tailOf(fileOf(40 * BLOCK, [[0, 0, 40 * BLOCK]])), 0);
  assert.equal(tailOf(fileOf(2 ** 30 + BLOCK, [[2 ** 18, 0, BLOCK]])), 8);
  assert.equal(tailOf(fileOf(2 ** 40)), 4);
});

test("refuses runs that are no map of their file, and maps beyond the limit", () => {
  const refuse = (node: TreeNode, code: string) =>
    assert.throws(() => planErofs(folderOf({ f: node })), { code });
  refuse(fileOf(BLOCK, [[0, 0, 2 * BLOCK]]), "ROOTFS_BAD_DATA");
  refuse(
    fileOf(3 * BLOCK, [
      [1, 0, BLOCK],
      [0, 1, BLOCK],
    ]),
    "ROOTFS_BAD_DATA",
  );
  refuse(
    fileOf(3 * BLOCK, [
      [0, 0, 5],
      [1, 1, BLOCK],
    ]),
    "ROOTFS_BAD_DATA",
  );
  refuse(fileOf(3 * BLOCK, [[0.5, 0, BLOCK]]), "ROOTFS_BAD_DATA");
  refuse(fileOf(3 * BLOCK, [[0, 0, 0]]), "ROOTFS_BAD_DATA");
  refuse(fileOf(2 ** 50, [[1, 0, BLOCK]]), "ROOTFS_TOO_LARGE");
});

test("keeps the attributes that Linux keeps in EROFS, and no orders to overlayfs or host labels", () => {
  const value = new Uint8Array([1]);
  const names = [
    "user.a",
    "security.capability",
    "security.selinux",
    "trusted.overlay.opaque",
    "user.overlay.redirect",
    "trusted.x",
    "lustre.y",
    "system.nfs4_acl",
    "com.apple.z",
  ];
  const attributes = { ...plain, xattrs: new Map(names.map((name) => [name, value])) };
  const image = imageOf(folderOf({ f: { type: "fifo", attributes } }));
  assert.equal(
    readErofs(readOf(image)).get("f")?.xattrs,
    "{security.capability=01,trusted.x=01,user.a=01}",
  );
});

test("attributes of many inodes are stored once", () => {
  const xattrs = new Map([["user.long", new Uint8Array(1000).fill(3)]]);
  const nodes = Array.from(
    { length: 50 },
    (_, index) =>
      [`f${index}`, { type: "fifo", attributes: { ...plain, xattrs: new Map(xattrs) } }] as const,
  );
  const image = checkRoundTrip(folderOf(Object.fromEntries(nodes)));
  assert.ok(image.length - layerData.length <= 4 * BLOCK);
  fsck(image);
});

test("refuses attributes that no inode can hold", () => {
  const refuse = (xattrs: Map<string, Uint8Array>, code: string) =>
    assert.throws(() => planErofs(folderOf({}, { ...plain, xattrs })), { code });
  refuse(new Map([["user.", new Uint8Array(1)]]), "ROOTFS_BAD_ENTRY");
  refuse(new Map([["user.a\0b", new Uint8Array(1)]]), "ROOTFS_BAD_ENTRY");
  refuse(new Map([[`user.${"n".repeat(256)}`, new Uint8Array(1)]]), "ROOTFS_BAD_ENTRY");
  refuse(new Map([["user.a", new Uint8Array(65536)]]), "ROOTFS_BAD_ENTRY");
  refuse(
    new Map(Array.from({ length: 4 }, (_, index) => [`user.${index}`, new Uint8Array(65535)])),
    "ROOTFS_TOO_LARGE",
  );
});

test("the kernel sees names, owners, times, links and attributes as they were written", (t) => {
  const skip = whyNoMount();
  if (skip) return t.skip(skip);
  const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
  const shared = fileOf(7, [[0, 0, 7]]);
  const root = folderOf({
    "n\xc3\xa4me \n\xff": shared,
    other: shared,
    caps: {
      type: "file",
      size: 0,
      data: [],
      layer: 0,
      attributes: {
        ...plain,
        mode: 0o4755,
        uid: 0xffff_fffe,
        gid: 70_000,
        mtime: -7,
        mtimeNanoseconds: 5,
        xattrs: new Map([["security.capability", capability]]),
      },
    },
    long: { type: "symlink", attributes: plain, target: "t".repeat(4095) },
    null: { type: "character", attributes: plain, major: 1, minor: 3 },
    wide: { type: "block", attributes: plain, major: 0xfff, minor: 0xfffff },
    sock: { type: "socket", attributes: plain },
  });
  using mounted = new MountedImage(fsck(imageOf(root)));
  const stat = (name: string) => statSync(join(mounted.path, name), { bigint: true });
  assert.deepEqual(
    readdirSync(mounted.path, { encoding: "latin1" }).sort(),
    [...root.children.keys()].sort(),
  );
  assert.deepEqual([stat("other").nlink, stat("other").size], [2n, 7n]);
  assert.deepEqual(
    [stat("caps").uid, stat("caps").gid, stat("caps").mode & 0o7777n, stat("caps").mtimeNs],
    [0xffff_fffen, 70_000n, 0o4755n, -6_999_999_995n],
  );
  assert.match(
    execFileSync("getcap", [join(mounted.path, "caps")], {
      encoding: "utf8",
      env: { PATH: "/usr/sbin:/sbin:/usr/bin" },
    }),
    /cap_net_bind_service=ep/,
  );
  assert.equal(
    execFileSync("readlink", [join(mounted.path, "long")], { encoding: "utf8" }).length,
    4096,
  );
  assert.equal(stat("null").rdev, 0x103n);
  assert.ok(stat("sock").isSocket());
  assert.equal(
    execFileSync("stat", ["-c", "%t %T", join(mounted.path, "wide")], { encoding: "utf8" }),
    "fff fffff\n",
  );
});

test("crc32c matches the check value of its polynomial", () => {
  // RFC 3720 B.4: 32 bytes of zeros give 8a9136aa, which is inverted at the end.
  assert.equal(~crc32c(0xffff_ffff, new Uint8Array(32)) >>> 0, 0x8a9136aa);
});
