import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ERRNO } from "../linux/errno.ts";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { SyscallError } from "../syscalls/syscalls.ts";
import { cleanPath, ensureInside } from "./inside-root.ts";

test("a clean path has no dots, no doubled slashes, and never leaves the root", () => {
  assert.equal(cleanPath("/a//b/./../c/"), "/a/c");
  assert.equal(cleanPath("/../../x"), "/x");
  assert.equal(cleanPath(""), "/");
  const part = fc.constantFrom("..", ".", "", "a", "b");
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const clean = cleanPath(`/${parts.join("/")}`);
      assert.match(clean, /^\/([ab](\/[ab])*)?$/);
      assert.equal(cleanPath(clean), clean);
    }),
  );
});

test("every step into the image asks the kernel to stay inside the root", () => {
  const recording = new RecordingSyscalls().folder("/root/etc");
  const root = recording.sys.open("/root", 0);
  ensureInside(recording.sys, root, "/etc/new/deep", "folder");
  for (const [, dirfd, , how] of recording.made("openat2")) {
    assert.equal(dirfd, root);
    assert.equal((how as { resolve: number }).resolve & 0x10, 0x10);
  }
  assert.ok(recording.files.has("/root/etc/new/deep"));
});

test("a missing file is made as a file, and a folder in its place is refused", () => {
  const recording = new RecordingSyscalls().folder("/root/etc/hosts");
  const root = recording.sys.open("/root", 0);
  ensureInside(recording.sys, root, "/etc/resolv.conf", "file");
  assert.equal(recording.text("/root/etc/resolv.conf"), "");
  assert.throws(
    () => ensureInside(recording.sys, root, "/etc/hosts", "file"),
    /\/etc\/hosts: is a directory/,
  );
  assert.throws(
    () => ensureInside(recording.sys, root, "/etc/resolv.conf", "folder"),
    /not a directory/,
  );
});

test("a circle of links to nothing ends", () => {
  const recording = new RecordingSyscalls().folder("/root/link");
  const root = recording.sys.open("/root", 0);
  const { sys } = new RecordingSyscalls()
    .on("openat2", (dirfd, path, how) => {
      if (path !== ".") throw new SyscallError("openat2", ERRNO.ENOENT, "ENOENT", path);
      return recording.sys.openat2(dirfd, "link", how);
    })
    .on("fstat", (fd) => recording.sys.fstat(fd))
    .on("mkdirat", (_, name) => {
      throw new SyscallError("mkdirat", ERRNO.EEXIST, "EEXIST", name);
    })
    .on("readlinkat", () => "x");
  assert.throws(() => ensureInside(sys, root, "/x", "folder"), { code: "EEXIST" });
});
