import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { buildKernel, kernelKey } from "./build.ts";
import {
  installKernel,
  KERNEL_FILES,
  type KernelManifest,
  readCached,
  storeKernel,
} from "./cache.ts";
import { parseFragment, readFragments } from "./fragment.ts";
import { findPvhEntry } from "./pvh-note.ts";
import { findKernelSource } from "./source.ts";
import { requireTools, runTool } from "./toolchain.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dvm-kernel-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const tarball = (name: string, content = "x") => {
  writeFileSync(join(folder, name), content);
  utimesSync(join(folder, name), 1000, 1000);
  return findKernelSource(join(folder, name));
};

test("the newest linux-source package is taken, by number and not by letter", () => {
  for (const name of [
    "linux-source-6.1.tar.xz",
    "linux-source-6.12.tar.xz",
    "linux-source-6.9.tar.xz",
  ]) {
    tarball(name);
  }
  writeFileSync(join(folder, "linux-config-7.0.tar.xz"), "");
  const source = findKernelSource(undefined, folder);
  assert.match(source.path, /linux-source-6\.12\.tar\.xz$/);
  assert.equal(source.kind, "tarball");
});

test("a source that is missing, or is none, is refused with advice", () => {
  const cases: [string | undefined, RegExp][] = [
    [undefined, /^no linux-source-\*\.tar\.xz in /],
    [join(folder, "none"), /^no such kernel source: .*none$/],
    [folder, /^the folder holds no kernel source: /],
  ];
  for (const [named, message] of cases) {
    assert.throws(() => findKernelSource(named, folder), {
      code: "KERNEL_SOURCE_MISSING",
      message,
      hint: /apt-get install linux-source/,
    });
  }
  writeFileSync(join(folder, "text"), "");
  assert.throws(() => findKernelSource(join(folder, "text")), /neither a folder nor a tarball/);
});

test("a build without source leaves nothing behind", async () => {
  const options = {
    source: join(folder, "none"),
    outDirectory: join(folder, "out"),
    cacheDirectory: join(folder, "cache"),
  };
  await assert.rejects(buildKernel(options), { code: "KERNEL_SOURCE_MISSING" });
  assert.deepEqual(readdirSync(folder), []);
});

test("a build that fails shows the tail of the output and leaves no work folder behind", async () => {
  const source = join(folder, "linux-source-6.1.tar.xz");
  writeFileSync(source, "no archive");
  const options = {
    source,
    outDirectory: join(folder, "out"),
    cacheDirectory: join(folder, "cache"),
  };
  await assert.rejects(buildKernel(options), {
    code: "KERNEL_BUILD_FAILED",
    message: /^tar .* failed \(2\):\n.+/,
  });
  assert.deepEqual(readdirSync(join(folder, "cache")), []);
});

test("the key changes with a fragment, the source and nothing else", () => {
  const options = parseFragment("# why\nCONFIG_NET=y\n", "x.config");
  const source = tarball("linux-source-6.1.tar.xz");
  const key = kernelKey(options, source);
  assert.equal(kernelKey(parseFragment("# another reason\nCONFIG_NET=y", "y.config"), source), key);
  assert.notEqual(
    kernelKey(parseFragment("# why\n# CONFIG_NET is not set", "x.config"), source),
    key,
  );
  assert.notEqual(kernelKey(options, tarball("linux-source-6.1.tar.xz", "xx")), key);
});

test("a kernel in place with the same inputs is not built again", async () => {
  const { path } = tarball("linux-source-6.1.tar.xz");
  const out = join(folder, "out");
  const key = kernelKey(
    readFragments(join(import.meta.dirname, "fragments")),
    findKernelSource(path),
  );
  writeKernel(out, key);
  const options = { source: path, outDirectory: out, cacheDirectory: join(folder, "cache") };
  assert.equal((await buildKernel(options)).origin, "present");
  rmSync(join(folder, "cache"), { recursive: true, force: true });
  mkdirSync(join(folder, "cache"));
  storeKernel(out, join(folder, "cache"), key);
  assert.equal((await buildKernel(options)).origin, "cache");
  assert.deepEqual(readdirSync(out).sort(), [...KERNEL_FILES].sort());
});

test("a kernel that was cut short or whose manifest is damaged does not count as built", () => {
  writeKernel(folder, "k");
  assert.equal(readCached(folder, "k")?.key, "k");
  assert.equal(readCached(folder, "other"), undefined);
  writeFileSync(join(folder, "vmlinux"), "short");
  assert.equal(readCached(folder, "k"), undefined);
  writeFileSync(join(folder, "manifest.json"), "{");
  assert.equal(readCached(folder, "k"), undefined);
});

test("installing replaces an older kernel and leaves no temporary file", () => {
  const from = join(folder, "from");
  const to = join(folder, "to");
  writeKernel(from, "new");
  writeKernel(to, "old");
  installKernel(from, to);
  assert.equal(readCached(to, "new")?.key, "new");
  assert.deepEqual(readdirSync(to).sort(), [...KERNEL_FILES].sort());
});

test("missing tools are named with the packages that bring them", () => {
  assert.throws(() => requireTools(folder), {
    code: "KERNEL_TOOL_MISSING",
    message: /make, gcc, ld, strip, flex/,
    hint: "apt-get install make gcc binutils flex bison bc tar xz-utils perl",
  });
});

test("an abort ends the running tool and its children", async () => {
  const abort = new AbortController();
  const running = runTool({
    program: "sh",
    arguments: ["-c", "echo started; sleep 1000 & wait"],
    signal: abort.signal,
    onLine: () => abort.abort(new Error("enough")),
  });
  await assert.rejects(running, /enough/);
});

test("the PVH entry is read from the note, and an image without one has none", () => {
  assert.equal(findPvhEntry(elfWithNote("Xen\0", 18)), 0x1000500);
  assert.equal(findPvhEntry(elfWithNote("Xen\0", 17)), undefined);
  assert.equal(findPvhEntry(elfWithNote("GNU\0", 18)), undefined);
  const image = elfWithNote("Xen\0", 18);
  for (let length = 0; length < image.length - 4; length++) {
    assert.equal(findPvhEntry(image.subarray(0, length)), undefined);
  }
});

function writeKernel(directory: string, key: string): void {
  mkdirSync(directory, { recursive: true });
  for (const name of KERNEL_FILES) writeFileSync(join(directory, name), name);
  const manifest: Partial<KernelManifest> = { version: 1, key, size: "vmlinux".length };
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
}

/** A 64-bit ELF file of one PT_NOTE segment that holds a GNU note and then the given one. */
function elfWithNote(name: string, type: number): Buffer {
  const note = (owner: string, kind: number, description: Buffer) => {
    const head = Buffer.alloc(12);
    head.writeUInt32LE(owner.length, 0);
    head.writeUInt32LE(description.length, 4);
    head.writeUInt32LE(kind, 8);
    return Buffer.concat([head, Buffer.from(owner, "latin1"), description]);
  };
  const entry = Buffer.alloc(8);
  entry.writeUInt32LE(0x1000500);
  const notes = Buffer.concat([note("GNU\0", 3, Buffer.alloc(20)), note(name, type, entry)]);
  const header = Buffer.alloc(64 + 56);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(4, 64);
  header.writeBigUInt64LE(BigInt(header.length), 64 + 8);
  header.writeBigUInt64LE(BigInt(notes.length), 64 + 32);
  return Buffer.concat([header, notes]);
}
