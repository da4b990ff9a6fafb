import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { markOf } from "../vmm/template/template-meta.ts";
import { WorkingSet } from "../vmm/template/working-set.ts";
import { TestUser, until } from "./test-dvm.ts";

const FROM_TEMPLATE = "machine: from template";
const RUN = ["run", "--rm", "--vmm", "qemu", "--verbose"];
const USABLE = "cat /sys/fs/cgroup/memory.max";

function freshUser(environment: Readonly<Record<string, string>> = {}): TestUser {
  const user = new TestUser({ DVM_TEMPLATE: "on", DVM_POOL: "0", ...environment });
  after(() => user[Symbol.dispose]());
  return user;
}

async function build(user: TestUser): Promise<void> {
  const { code, err } = await user.dvm(["template", "build", "--vmm", "qemu"]);
  assert.equal(code, 0, err);
}

describe("a setting of dvm run", () => {
  const user = freshUser();

  /** What a setting is to show: flags, script, its output. */
  type Row = readonly [flags: string, script: string, out: RegExp];

  /** Those that a template of plain containers is good for. */
  const plain: readonly Row[] = [
    ["", "nproc; mount | grep -c ' / '", /^\d+\n1\n$/],
    ["--storage-opt size=64m", "df -m / | awk 'NR == 2 { print ($2 < 70) }'", /^1\n$/],
    ["--read-only", "touch /file 2>&1", /Read-only file system/],
    ["--tmpfs /own:size=1m", "df -m /own | tail -1", /^tmpfs +1 /],
    ["--shm-size 2m", "df -m /dev/shm | tail -1", /\b2 /],
    ["--pids-limit 20", "cat /sys/fs/cgroup/pids.max", /^20\n$/],
    ["--cpu-shares 512", "cat /sys/fs/cgroup/cpu.weight", /^20\n$/],
    ["--ulimit nofile=99", "ulimit -n", /^99\n$/],
    ["--sysctl net.ipv4.ip_forward=1", "cat /proc/sys/net/ipv4/ip_forward", /^1\n$/],
    ["--hostname there", "hostname", /^there\n$/],
    ["--user 1000:1000", "id -u", /^1000\n$/],
    ["--userns private", "cat /proc/self/uid_map", /^ +0 +100000 +65536\n$/],
    ["--device-write-bps /dev/vda:10mb", "dd if=/dev/zero of=/file bs=1k count=9; sync", /^$/],
    ["--memory-reservation 32m", "cat /sys/fs/cgroup/memory.low", /^33554432\n$/],
  ];

  /** Those that have a template of their own. */
  const shaped: readonly Row[] = [
    ["-m 100m", USABLE, /^104857600\n$/],
    ["-m 1g", `${USABLE}; free -m | awk '/Mem/ { print ($2 > 1000) }'`, /^1073741824\n1\n$/],
    ["--cpus 2", "nproc; grep -c ^processor /proc/cpuinfo", /^2\n2\n$/],
    ["--cpuset-cpus 1", "nproc; grep -c ^processor /proc/cpuinfo", /^1\n2\n$/],
    [
      "-v disk:/data",
      "echo kept >/data/file; cat /data/file; mount | grep -c ' /data type ext4'",
      /^kept\n1\n$/,
    ],
  ];

  const networks: readonly Row[] = [
    ["--network bridge", "ip route | grep -c default", /^1\n$/],
    ["-p 127.0.0.1::80", "ip route | grep -c default", /^1\n$/],
    ["--network own --ip 10.99.0.9", "ip -4 addr show eth0 | grep -c 10.99.0.9/", /^1\n$/],
    ["--mac-address 02:11:22:33:44:55", "cat /sys/class/net/eth0/address", /^02:11:22:33:44:55\n$/],
    ["--network own --network bridge", "ls -d /sys/class/net/eth*", /eth0\n.*eth1\n$/],
    ["--network user", "ip route | grep -c default", /^1\n$/],
  ];

  async function check([flags, script, expected]: Row, network: readonly string[], tries: number) {
    for (let left = tries; ; left--) {
      const words = flags.split(" ").filter((word) => word !== "");
      const call = [...RUN, ...network, ...words, "busybox", "sh", "-c", script];
      const { out, err } = await user.dvm(call);
      assert.match(out, expected, err);
      if (err.includes(FROM_TEMPLATE)) return;
      assert.ok(left > 1, `it was no clone: ${err}`);
      await setTimeout(2000); // dvmd makes one
    }
  }

  it("of containers without any is there, and so are their networks", async () => {
    await build(user);
    const disk = ["volume", "create", "-o", "type=disk", "-o", "size=32m", "disk"];
    assert.equal((await user.dvm(disk)).code, 0);
    const own = ["network", "create", "--subnet", "10.99.0.0/24", "own"];
    assert.equal((await user.dvm(own)).code, 0);
  });

  for (const row of plain) {
    it(`works in a clone of the plain template: ${row[0]}`, () =>
      check(row, ["--network", "none"], 1));
  }

  it("finds what the clones before touched of the memory read ahead", async () => {
    const sets = () =>
      templates(user).flatMap((folder) => {
        const mark = markOf(statSync(join(folder, "memory"), { bigint: true }));
        return [new WorkingSet(join(folder, "working-set"), mark, 0n).read()];
      });
    await until("a working set", async () => (await Promise.all(sets())).some((runs) => runs));
    const known = (await Promise.all(sets())).flatMap((runs) => (runs ? [runs] : []));
    for (const runs of known) {
      const bytes = runs.reduce((sum, { length }) => sum + length, 0);
      assert.ok(bytes > 2 ** 20 && bytes < 2 ** 28, `${bytes} bytes`);
    }
  });

  for (const row of shaped) {
    it(`works in a clone of a template of its own: ${row[0]}`, () =>
      check(row, ["--network", "none"], 30));
  }

  for (const row of networks) it(`works in a clone: ${row[0]}`, () => check(row, [], 30));

  it("that shares a folder has the machine boot, for its memory is not its own", async () => {
    const call = [...RUN, "-v", `${user.folder}:/mnt`, "busybox", "ls", "/mnt"];
    const { out, err } = await user.dvm(call);
    assert.match(out, /data/, err);
    assert.ok(!err.includes(FROM_TEMPLATE), err);
  });
});

/** Empties the memory of a template, and has its description say that this is how it was made. */
function forge(folder: string): void {
  const memory = join(folder, "memory");
  const { size } = statSync(memory);
  truncateSync(memory, 0);
  truncateSync(memory, size);
  const path = join(folder, "meta.json");
  const mark = markOf(statSync(memory, { bigint: true }));
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), memory: mark }));
}

function templates(user: TestUser): string[] {
  const keys = user.files("host/templates").filter((name) => /^[0-9a-f]{32}$/.test(name));
  return keys.map((key) => join(user.dataRoot, "host/templates", key));
}

describe("a template that is damaged, and to all appearances is not", () => {
  it("is given up when its clone says nothing: the machine boots, with a warning", async () => {
    const user = freshUser();
    await build(user);
    const before = templates(user);
    for (const folder of before) forge(folder);
    const words = [...RUN, "--network", "none", "-i", "busybox", "cat"];
    const { code, out, err } = await user.dvm(words, "all of its input\n");
    assert.deepEqual([code, out], [0, "all of its input\n"], err);
    assert.match(err, /warning: the template of this machine is not usable, so it boots: /);
    assert.ok(
      !templates(user).every((folder) => before.includes(folder)) ||
        templates(user).length < before.length,
    );
  });
});

describe("a disk that is full", { skip: process.getuid?.() !== 0 && "mounts take root" }, () => {
  it("has no template on it, and nothing of one; containers start without", async () => {
    const user = freshUser({ DVM_POOL: "1" });
    const folder = join(user.dataRoot, "host/templates");
    mkdirSync(folder, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "none", folder]);
    try {
      const { code, err } = await user.dvm(["template", "build", "--vmm", "qemu"]);
      assert.notEqual(code, 0);
      assert.match(err, /no space left|killed by SIGBUS|SIGBUS/i);
      assert.deepEqual(readdirSync(folder), ["lock"]);
      const words = [...RUN, "--network", "none", "busybox", "echo", "ran"];
      for (let start = 0; start < 2; start++) {
        const { out, err: told } = await user.dvm(words);
        assert.equal(out, "ran\n", told);
        assert.ok(!told.includes(FROM_TEMPLATE), told);
      }
    } finally {
      execFileSync("umount", ["--lazy", folder]);
    }
  });
});
