/** Layers as third-party tools write them, held against the files they were made from. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { TestFolder } from "../test-support/image-builder.ts";
import { contentOf, readBack } from "../test-support/read-back.ts";

const MANY_SEGMENTS = 60;

/** A tree with what makes archives hard. */
function makeTree(root: string): void {
  mkdirSync(join(root, "deep", "d".repeat(120), "e".repeat(120)), { recursive: true });
  writeFileSync(join(root, "deep", "d".repeat(120), "e".repeat(120), "leaf"), "leaf\n");
  const bytes = openSync(
    Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xe9, 0x20])]),
    "w",
  );
  writeSync(bytes, "bytes\n");
  closeSync(bytes);
  writeFileSync(join(root, "snömän☃"), "utf-8\n");
  writeFileSync(join(root, "setuid"), "x", { mode: 0o755 });
  execFileSync("chmod", ["4755", join(root, "setuid")]);
  writeFileSync(join(root, "first"), "linked");
  linkSync(join(root, "first"), join(root, "second"));
  symlinkSync(`../${"t".repeat(150)}`, join(root, "symlink"));
  execFileSync("mkfifo", [join(root, "fifo")]);
  const sparse = openSync(join(root, "sparse"), "w");
  for (let n = 0; n < MANY_SEGMENTS; n++) writeSync(sparse, `segment ${n}`, n * 65_536 + 4096);
  ftruncateSync(sparse, MANY_SEGMENTS * 65_536 + 12_345);
  closeSync(sparse);
}

const tree = new TestFolder();
process.on("exit", () => tree[Symbol.dispose]());
makeTree(tree.path);

/** The entries by path, a file's content among its fields. */
async function readTar(tarFile: string): Promise<Map<string, Record<string, unknown>>> {
  const tar = readFileSync(tarFile);
  const { entries, data, rebuilt } = await readBack(tar);
  assert.ok(rebuilt.equals(tar), "the tar stream comes back to the byte");
  const byPath = new Map<string, Record<string, unknown>>();
  for (const entry of entries) {
    const content = entry.type === "file" ? contentOf(entry, data) : undefined;
    byPath.set(entry.path, { ...entry, content });
  }
  return byPath;
}

function checkTree(entries: Map<string, Record<string, unknown>>): void {
  const deep = `deep/${"d".repeat(120)}/${"e".repeat(120)}/leaf`;
  assert.deepEqual(entries.get(deep)?.content, Buffer.from("leaf\n"));
  assert.deepEqual(entries.get("\xff\xe9 ")?.content, Buffer.from("bytes\n"));
  const snowman = Buffer.from("snömän☃").toString("latin1");
  assert.deepEqual(entries.get(snowman)?.content, Buffer.from("utf-8\n"));
  assert.equal(entries.get("setuid")?.mode, 0o4755);
  const links = ["first", "second"].map((name) => entries.get(name)?.type).toSorted();
  assert.deepEqual(links, ["file", "hardlink"]);
  assert.equal(entries.get("symlink")?.target, `../${"t".repeat(150)}`);
  assert.equal(entries.get("fifo")?.type, "fifo");
  const sparse = entries.get("sparse");
  assert.deepEqual(sparse?.content, readFileSync(join(tree.path, "sparse")));
}

const WRITERS: readonly (readonly [string, string, readonly string[]])[] = [
  ["GNU tar, GNU format", "tar", ["--format=gnu"]],
  ["GNU tar, old sparse format", "tar", ["--format=gnu", "--sparse"]],
  ["GNU tar, PAX format", "tar", ["--format=pax"]],
  ["GNU tar, sparse format 0.0", "tar", ["--format=pax", "--sparse", "--sparse-version=0.0"]],
  ["GNU tar, sparse format 0.1", "tar", ["--format=pax", "--sparse", "--sparse-version=0.1"]],
  ["GNU tar, sparse format 1.0", "tar", ["--format=pax", "--sparse", "--sparse-version=1.0"]],
  ["bsdtar, PAX format", "bsdtar", ["--format=pax"]],
  ["bsdtar, GNU format", "bsdtar", ["--format=gnutar", "--no-read-sparse"]],
];

describe("layers made by", () => {
  for (const [name, program, options] of WRITERS) {
    const missing = spawnSync(program, ["--version"]).error !== undefined;
    test(name, { skip: missing && `${program} is not installed` }, async () => {
      using folder = new TestFolder();
      const file = join(folder.path, "layer.tar");
      execFileSync(program, ["-C", tree.path, ...options, "-cf", file, "."], { stdio: "ignore" });
      const entries = await readTar(file);
      checkTree(entries);
      const owner = lstatSync(join(tree.path, "setuid"));
      assert.equal(entries.get("setuid")?.uid, owner.uid);
      assert.equal(entries.get("setuid")?.mtime, Math.floor(owner.mtimeMs / 1000));
    });
  }

  test("GNU tar with extended attributes", async (t) => {
    using folder = new TestFolder();
    const file = join(folder.path, "f");
    writeFileSync(file, "x");
    const value = "0x01000002002000000000000000000000000000ff";
    const set = spawnSync("setfattr", ["-n", "user.raw", "-v", value, file]);
    if (set.status !== 0) return t.skip("setfattr does not work here");
    const tar = join(folder.path, "layer.tar");
    execFileSync("tar", ["-C", folder.path, "--xattrs", "--format=pax", "-cf", tar, "f"]);
    const xattrs = (await readTar(tar)).get("f")?.xattrs;
    assert.ok(xattrs instanceof Map);
    assert.equal(`0x${Buffer.from(xattrs.get("user.raw")).toString("hex")}`, value);
  });
});
