import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { HostCgroup, parseHierarchies } from "./host-cgroup.ts";

const ID = "0123456789abcdef".repeat(4);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dvm-cgroup-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A group with the files that the kernel would make. */
function group(hierarchy: string, files: readonly string[]): string {
  const path = join(folder, hierarchy, "dvm", ID.slice(0, 12));
  mkdirSync(path, { recursive: true });
  for (const name of files) writeFileSync(join(path, name), "");
  return path;
}
const text = (path: string, file: string) => readFileSync(join(path, file), "utf8");

test("hierarchies of both versions are found among the mounts", () => {
  const mountinfo = `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw
`;
  assert.deepEqual(parseHierarchies(mountinfo), [
    { path: "/sys/fs/cgroup/cpu", controllers: ["rw", "cpu", "cpuacct"] },
    { path: "/sys/fs/cgroup/unified" },
  ]);
});

test("version 1 has Docker's own scale", () => {
  const cpu = group("cpu", ["cpu.shares"]);
  const hierarchies = [{ path: join(folder, "cpu"), controllers: ["cpu"] }];
  assert.deepEqual(new HostCgroup(ID, hierarchies).admit(42, { cpuShares: 512 }), []);
  assert.deepEqual([text(cpu, "cpu.shares"), text(cpu, "cgroup.procs")], ["512", "42"]);
});

test("version 2 has weights, which the groups above must hand down", () => {
  const files = ["cpu.weight", "io.weight"];
  const path = group("unified", files);
  writeFileSync(join(folder, "unified", "cgroup.controllers"), "cpu io memory\n");
  const cgroup = new HostCgroup(ID, [{ path: join(folder, "unified") }]);
  assert.deepEqual(cgroup.admit(42, { cpuShares: 1024, blkioWeight: 1000 }), []);
  assert.deepEqual(
    files.map((file) => text(path, file)),
    ["39", "10000"],
  );
  assert.equal(text(join(folder, "unified", "dvm"), "cgroup.subtree_control"), "+io");
});

test("a weight that the host cannot give is told of, and nothing asked is nothing done", () => {
  const cgroup = new HostCgroup(ID, []);
  assert.deepEqual(cgroup.admit(42, {}), []);
  assert.deepEqual(cgroup.admit(42, { blkioWeight: 100 }), ["blkio: this host has no weights"]);
});
