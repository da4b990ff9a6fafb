import assert from "node:assert/strict";
import { test } from "node:test";
import { addMountPoints } from "./mount-points.ts";
import { emptyFolder, IMPLIED_FOLDER, type SymlinkNode } from "./tree.ts";

test("an image without them gets the mount points of every container", () => {
  const root = emptyFolder();
  addMountPoints(root);
  assert.deepEqual([...root.children.keys()], ["dev", "proc", "sys", "etc", ".dockerenv"]);
  assert.equal(root.children.get(".dockerenv")?.type, "file");
  const etc = root.children.get("etc");
  assert.ok(etc?.type === "directory");
  assert.deepEqual(
    [...etc.children].map(([name, { type, attributes }]) => [name, type, attributes.mode]),
    [
      ["hostname", "file", 0o644],
      ["hosts", "file", 0o644],
      ["resolv.conf", "file", 0o644],
      ["mtab", "symlink", 0o777],
    ],
  );
});

test("what the image has stays as it is, a symbolic link too", () => {
  const root = emptyFolder();
  const link: SymlinkNode = { type: "symlink", attributes: IMPLIED_FOLDER, target: "/run/x" };
  const etc = emptyFolder({ ...IMPLIED_FOLDER, mode: 0o700, mtime: 7 });
  etc.children.set("resolv.conf", link);
  root.children.set("etc", etc).set("sys", link);
  addMountPoints(root);
  assert.equal(root.children.get("sys"), link);
  assert.equal(root.children.get("etc"), etc);
  assert.equal(etc.children.get("resolv.conf"), link);
  assert.equal(etc.attributes.mtime, 7);

  const elsewhere = emptyFolder();
  elsewhere.children.set("etc", link);
  addMountPoints(elsewhere);
  assert.equal(elsewhere.children.get("etc"), link);
});
