import assert from "node:assert/strict";
import { test } from "node:test";
import { S_IFREG } from "../../linux/stat.ts";
import { RecordingSyscalls } from "../../syscalls/recording-syscalls.ts";
import { walkChanges } from "./changes.ts";

/** Times of the image's files and of what has been changed since, in `seconds`. */
const MADE = 1000;
const SINCE = 2000;

/** A root below /root that was made from the image below /image; paths in `touched` have changed since. */
function changesOf(
  sys: RecordingSyscalls,
  touched: readonly string[] = [],
): readonly (readonly [string, string])[] {
  sys.on("lstat", (path) => {
    const ctime = touched.some((each) => path === `/root${each}`) ? SINCE : MADE;
    return { ...sys.sys.stat(path), mtime: MADE, ctime };
  });
  const places = { upper: "/root", isWhole: true, image: "/image" };
  return [...walkChanges(sys.sys, places)].map(({ kind, path }) => [kind, path]);
}

const both = (...paths: string[]) => {
  const sys = new RecordingSyscalls();
  for (const path of paths) sys.file(`/image${path}`, "x").file(`/root${path}`, "x");
  return sys;
};

test("a root that is as it was made has no changes", () => {
  assert.deepEqual(changesOf(both("/a", "/dir/b", "/dir/deep/c")), []);
});

test("what was written counts, with the folders above it, though it looks as before", () => {
  const sys = both("/a", "/dir/deep/c", "/other/d");
  assert.deepEqual(changesOf(sys, ["/dir/deep/c"]), [
    ["modified", "/dir"],
    ["modified", "/dir/deep"],
    ["modified", "/dir/deep/c"],
  ]);
});

test("what is new, what is gone, and what became something else are told, a folder before what is in it", () => {
  const sys = both("/gone", "/gone-too/below", "/was-file", "/was-folder/below");
  for (const path of ["/gone", "/gone-too/below", "/gone-too", "/was-file", "/was-folder/below"]) {
    sys.files.delete(`/root${path}`);
  }
  sys.files.delete("/root/was-folder");
  sys
    .file("/root/new/inside", "x")
    .file("/root/was-file/inside", "x")
    .file("/root/was-folder", "x");
  const found = changesOf(sys, ["/new", "/new/inside", "/was-file", "/was-folder"]);
  assert.deepEqual(
    found.toSorted(([, a], [, b]) => (a < b ? -1 : 1)),
    [
      ["deleted", "/gone"],
      ["deleted", "/gone-too"],
      ["added", "/new"],
      ["added", "/new/inside"],
      ["modified", "/was-file"],
      ["added", "/was-file/inside"],
      ["modified", "/was-folder"],
    ],
  );
});

test("a mode that was changed counts whatever the times say", () => {
  const sys = both("/a");
  sys.file("/root/a", "x", S_IFREG | 0o600);
  assert.deepEqual(changesOf(sys), [["modified", "/a"]]);
});

test("what every container has of its own is no change", () => {
  const sys = both("/etc/hosts", "/a");
  sys.file("/root/dev/null", "").file("/root/proc/1", "").file("/root/etc/resolv.conf", "x");
  assert.deepEqual(changesOf(sys, ["/etc/hosts", "/dev", "/proc"]), []);
});
