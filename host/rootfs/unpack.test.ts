/** The same layers through umoci (unpacked on the host) and through a root disk: file by file the same. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import type { Layer } from "./entry.ts";
import { readErofs } from "./erofs/test-reader.ts";
import { makeRootDisk } from "./root-disk.ts";
import {
  joinToFile,
  layerOf,
  readTar,
  type Snapshot,
  snapshotFolder,
  snapshotLine,
} from "./test-layers.ts";
import { MountedImage, whyNoMount } from "./test-mount.ts";

const skip = process.getuid?.() !== 0 ? "umoci restores owners for root alone" : false;
const folder = mkdtempSync(join(tmpdir(), "dvm-unpack-"));
after(() => rmSync(folder, { recursive: true }));

const sh = (command: string, cwd = folder) =>
  execFileSync("sh", ["-ec", command], { cwd, stdio: ["ignore", "pipe", "pipe"] });

/** Makes a folder tree with one of each kind of file that a tar holds. */
function makeBase(root: string): void {
  for (const path of ["etc", "usr/lib/deep/er", "opt/gone/sub", "opt/opaque/sub", "tmp", "links"])
    mkdirSync(join(root, path), { recursive: true });
  for (const path of [
    "etc/passwd",
    "etc/kept",
    "etc/changed",
    "usr/lib/libc",
    "usr/lib/deep/er/file",
    "opt/gone/sub/x",
    "opt/opaque/a",
    "opt/opaque/sub/b",
  ]) {
    writeFileSync(join(root, path), `content of ${path}`.repeat(500));
  }
  writeFileSync(join(root, "etc/empty"), "");
  writeFileSync(join(root, `usr/${"long".repeat(60)}`), "long name");
  writeFileSync(join(root, "usr/nämé ☃"), "non-ASCII name");
  writeFileSync(join(root, "links/one"), "three names");
  linkSync(join(root, "links/one"), join(root, "links/two"));
  linkSync(join(root, "links/one"), join(root, "etc/three"));
  writeFileSync(join(root, "links/later"), "linked by another layer");
  symlinkSync("usr/lib", join(root, "lib"));
  symlinkSync("/nowhere", join(root, "dangling"));
  symlinkSync("usr/lib", join(root, "replaced"));
  sh(
    "mknod null c 1 3; mknod disk b 8 300; mkfifo fifo; chmod 1777 tmp; chmod 4755 usr/lib/libc; chown 1000:65537 etc/kept; chown -h 5:6 lib; chmod 700 usr/lib/deep; chown 100000:200000 usr/lib/deep",
    root,
  );
  sh(
    "setcap cap_net_raw+ep usr/lib/deep/er/file; setfattr -n user.note -v hello etc/kept; setfattr -n user.note -v hello usr/lib/deep; setfattr -n trusted.t -v 1 usr/lib/deep",
    root,
  );
}

/** A layer as some builder may write it: entries beneath links, whiteouts last, links to lower layers. */
async function craftedLayer(): Promise<Buffer> {
  const tar = pack();
  const add = (name: string, header: Partial<Header> = {}, content = "") =>
    tar.entry({ name, mode: 0o640, uid: 7, gid: 8, mtime: new Date(1e12), ...header }, content);
  add("lib/through-link", {}, "lands in usr/lib");
  add("links/other-layer", { type: "link", linkname: "links/later" });
  add("links/via-link", { type: "link", linkname: "lib/libc" });
  add("links/to-symlink", { type: "link", linkname: "dangling" });
  add("opt/opaque/new", {}, "new in an opaque folder");
  add("opt/opaque/.wh..wh..opq");
  add("replaced/", { type: "directory", mode: 0o755 });
  add("replaced/.wh..wh..opq");
  add("replaced/own", {}, "was a link");
  add("etc/changed/", { type: "directory", mode: 0o711 });
  add("etc/changed/now-a-folder", {}, "x");
  add("made/up/parents/file", {}, "x");
  add("etc/twice", {}, "first");
  add("etc/twice", { mode: 0o600 }, "second, longer");
  add("etc/.wh.kept");
  tar.finalize();
  return Buffer.concat(await Array.fromAsync(tar as AsyncIterable<Uint8Array>));
}

/** An OCI layout of three layers: GNU tar's, umoci's own diff, and the crafted one. */
async function makeImage(): Promise<string> {
  const root = join(folder, "base");
  makeBase(root);
  sh("tar --format=pax --xattrs --xattrs-include='*' --numeric-owner -C base -cf base.tar .");
  sh(
    "umoci init --layout oci; umoci new --image oci:t; umoci raw add-layer --image oci:t base.tar",
  );
  sh("umoci unpack --image oci:t edit");
  sh(
    "rm -r opt/gone etc/empty; rm links/two; echo more >> etc/passwd; chmod 2750 usr; mkdir new; ln links/one new/link",
    join(folder, "edit/rootfs"),
  );
  sh("umoci repack --image oci:t edit");
  writeFileSync(join(folder, "crafted.tar"), await craftedLayer());
  sh("umoci raw add-layer --image oci:t crafted.tar");
  return join(folder, "oci");
}

interface Manifest {
  readonly layers: readonly { readonly digest: string }[];
}

function readLayers(layout: string): Layer[] {
  const blob = (digest: string) => readFileSync(join(layout, "blobs", digest.replace(":", "/")));
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as {
    manifests: { digest: string }[];
  };
  const manifest = JSON.parse(blob(index.manifests[0]?.digest ?? "").toString()) as Manifest;
  return manifest.layers.map(({ digest }, number) => {
    return layerOf(readTar(gunzipSync(blob(digest))), join(folder, `data-${number}`), digest);
  });
}

function snapshotDisk(path: string): Snapshot {
  const image = readFileSync(path);
  const seen = readErofs((offset, length) => image.subarray(offset, offset + length));
  return new Map([...seen].map(([name, inode]) => [name, snapshotLine(inode)]));
}

const sorted = (snapshot: Snapshot) =>
  [...snapshot].map(([path, line]) => `${path}: ${line}`).sort();

test("a root disk holds file by file what umoci unpacks", { skip }, async (t) => {
  const layout = await makeImage();
  sh("umoci unpack --image oci:t reference");
  const reference = snapshotFolder(join(folder, "reference/rootfs"));
  const layers = readLayers(layout);
  assert.equal(layers.length, 3);
  assert.ok(readdirSync(join(folder, "reference/rootfs")).length > 10);
  const disk = await makeRootDisk({ layers, directory: join(folder, "disks") });
  const image = join(folder, "image.erofs");
  joinToFile(disk.extents, image);
  assert.equal(sh("fsck.erofs image.erofs").toString(), "");
  assert.deepEqual(sorted(snapshotDisk(image)), sorted(reference));
  const noMount = whyNoMount();
  if (noMount) return t.diagnostic(`not mounted: ${noMount}`);
  using mounted = new MountedImage(image);
  assert.deepEqual(sorted(snapshotFolder(mounted.path)), sorted(reference));
});
