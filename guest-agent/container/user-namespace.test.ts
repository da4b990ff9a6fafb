import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_EMPTY_PATH, AT_FDCWD } from "../linux/fcntl.ts";
import { MOUNT_ATTR_IDMAP } from "../linux/mount.ts";
import { CLONE_NEWUSER } from "../linux/sched.ts";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import {
  asMappedRoot,
  becomeNamespaceRoot,
  checkMapped,
  mountMapped,
  openUserNamespace,
  takeMappedIds,
} from "./user-namespace.ts";

test("a namespace is kept open once its holder, who is reaped, has its maps", () => {
  const recording = new RecordingSyscalls()
    .on("clone", () => 7)
    .on("wait4", (pid) => ({ pid, status: 0 }));
  for (const name of ["uid_map", "gid_map", "ns/user"]) recording.file(`/proc/7/${name}`, "");
  const fd = openUserNamespace(recording.sys);
  assert.deepEqual(recording.made("clone"), [["clone", { flags: CLONE_NEWUSER }]]);
  assert.equal(recording.text("/proc/7/uid_map"), "0 100000 65536");
  assert.equal(recording.text("/proc/7/gid_map"), "0 100000 65536");
  assert.deepEqual(recording.made("wait4"), [["wait4", 7, 0]]);
  assert.ok(!recording.made("close").some(([, closed]) => closed === fd));
});

test("a holder that gets no maps is let go and reaped", () => {
  const recording = new RecordingSyscalls()
    .on("clone", () => 7)
    .on("wait4", (pid) => ({ pid, status: 0 }));
  assert.throws(() => openUserNamespace(recording.sys), /ENOENT/);
  assert.deepEqual(
    recording.made("close", "wait4").map(([name]) => name),
    ["close", "close", "wait4"],
  );
});

test("a mount is mapped before anyone can reach it", () => {
  const recording = new RecordingSyscalls();
  mountMapped(recording.sys, { from: "/image", to: "/mapped", userNamespace: 5 });
  const calls = recording.made("open_tree", "mount_setattr", "move_mount");
  assert.deepEqual(
    calls.map(([name]) => name),
    ["open_tree", "mount_setattr", "move_mount"],
  );
  const tree = calls[1]?.[1];
  const attributes = { set: MOUNT_ATTR_IDMAP, userNamespace: 5 };
  assert.deepEqual(calls[1], ["mount_setattr", tree, AT_EMPTY_PATH, attributes]);
  assert.deepEqual(calls[2]?.slice(1, 4), [tree, AT_FDCWD, "/mapped"]);
  assert.deepEqual(recording.made("close"), [["close", tree]]);
});

test("the mapped root's numbers come with every capability that was there", () => {
  const recording = new RecordingSyscalls().on("capget", () => ({
    effective: 0n,
    permitted: 0x1ffn,
    inheritable: 0n,
  }));
  takeMappedIds(recording.sys);
  assert.deepEqual(recording.made("setgroups", "setresgid", "setresuid", "capset"), [
    ["setgroups", []],
    ["setresgid", 100_000, 100_000, 100_000],
    ["setresuid", 100_000, 100_000, 0],
    ["capset", { effective: 0x1ffn, permitted: 0x1ffn, inheritable: 0n }],
  ]);
});

test("inside nothing of the guest's root stays", () => {
  const recording = new RecordingSyscalls();
  becomeNamespaceRoot(recording.sys);
  assert.deepEqual(recording.calls, [
    ["setgroups", []],
    ["setresgid", 0, 0, 0],
    ["setresuid", 0, 0, 0],
  ]);
});

test("a child that fails as the mapped root is reaped and its failure told", () => {
  const recording = new RecordingSyscalls().on("wait4", (pid) => ({ pid, status: 0 }));
  const told = '{"code":"CONTAINER_SETUP","message":"mount the root: mount /x: EINVAL"}';
  const bytes = new TextEncoder().encode(told);
  let done = false;
  recording.on("read", (_fd, buffer) => {
    if (done) return 0;
    done = true;
    buffer.set(bytes);
    return bytes.length;
  });
  assert.throws(
    () => asMappedRoot(recording.sys, "mount the root", () => assert.fail("in the parent")),
    /mount the root: mount \/x: EINVAL/,
  );
  assert.equal(recording.made("wait4").length, 1);
  assert.equal(recording.made("close").length, 2);
});

test("a user or group that the mapping has not is refused by its number", () => {
  checkMapped({ uid: 65_535, groups: [0, 65_535] });
  assert.throws(() => checkMapped({ uid: 65_536, groups: [0] }), /range 0-65535 .*: 65536$/);
  assert.throws(() => checkMapped({ uid: 0, groups: [0, 70_000] }), /: 70000$/);
});
