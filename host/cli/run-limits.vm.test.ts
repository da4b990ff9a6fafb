import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { TestUser, until } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

/** The files of the container's cgroup by their names. */
async function cgroup(flags: string, files: string): Promise<Record<string, string>> {
  const words = ["run", "--rm", ...flags.split(" "), "busybox", "sh", "-c"];
  const { out, err } = await user.dvm([...words, `cd /sys/fs/cgroup; grep . ${files}`]);
  assert.equal(err, "");
  return Object.fromEntries(
    out
      .trim()
      .split("\n")
      .map((line) => line.split(":")),
  );
}

const MIB = 2 ** 20;

describe("the limits of dvm run", () => {
  it("become the container's cgroup", async () => {
    const flags =
      "-m 64m --memory-swap 96m --memory-reservation 32m --cpus 1.5 --cpu-shares 512 --cpuset-cpus 1 --pids-limit 50";
    const files =
      "memory.max memory.swap.max memory.low cpu.max cpu.weight cpuset.cpus.effective pids.max";
    assert.deepEqual(await cgroup(flags, files), {
      "memory.max": String(64 * MIB),
      "memory.swap.max": String(32 * MIB),
      "memory.low": String(32 * MIB),
      "cpu.max": "150000 100000",
      // 1 + (512 - 2) * 9999 / 262142, as runc converts shares
      "cpu.weight": "20",
      "cpuset.cpus.effective": "1",
      "pids.max": "50",
    });
  });

  it("of memory alone give as much swap again; -1 takes a limit away; quota and period are taken apart", async () => {
    const files = "memory.max memory.swap.max cpu.max pids.max";
    const twice = await cgroup(
      "-m 32m --cpu-quota 50000 --cpu-period 200000 --pids-limit -1",
      files,
    );
    assert.deepEqual(twice, {
      "memory.max": String(32 * MIB),
      "memory.swap.max": String(32 * MIB),
      "cpu.max": "50000 200000",
      "pids.max": "max",
    });
    const unlimited = await cgroup("-m 32m --memory-swap -1 --cpus 0", "memory.swap.max cpu.max");
    assert.deepEqual(unlimited, { "memory.swap.max": "max", "cpu.max": "max 100000" });
  });

  it("of processors are how many there are", async () => {
    const { out } = await user.dvm("run --rm --cpus 1.5 busybox nproc".split(" "));
    assert.equal(out, "2\n");
  });

  it("end a process that takes more memory, and say so", async () => {
    const result = await user.dvm("run --rm -m 24m busybox tail /dev/zero".split(" "));
    assert.equal(result.code, 137);
    assert.match(result.err, /^dvm: the container ran out of memory\n {2}hint: .*--memory\n$/);
    assert.deepEqual(user.leftovers(), []);
  });

  it("leave the rest of the container alive when one of its processes takes more memory", async () => {
    const script = "tail /dev/zero; echo $?";
    const result = await user.dvm(["run", "--rm", "-m", "24m", "busybox", "sh", "-c", script]);
    assert.deepEqual([result.code, result.out], [0, "137\n"]);
  });

  it("of swap are memory beyond the memory, on a disk of the host while it is used", async () => {
    const limits = "-d --name swapping -m 32m --memory-swap 96m --memory-swappiness 70".split(" ");
    const held = "cat /proc/sys/vm/swappiness; dd if=/dev/zero bs=56M count=1 | sleep 1000";
    const words = ["run", ...limits, "--network", "none", "busybox", "sh", "-c", held];
    const { err, code } = await user.dvm(words);
    assert.deepEqual([err, code], ["", 0]);
    const [id = ""] = user.files("containers");
    const path = join(user.dataRoot, "containers", id, "swap.img");
    await until("swap", () => statSync(path).blocks * 512 > 20 * MIB);
    assert.equal((await user.dvm(["logs", "swapping"])).out, "70\n");
    const inspect = ["inspect", "-f", "{{.EffectiveLimits.MemorySwap}}", "swapping"];
    assert.equal((await user.dvm(inspect)).out, `${96 * MIB}\n`);
    const refused = await user.dvm(["snapshot", "create", "swapping"]);
    assert.match(refused.err, /its memory may be swapped/);
    const more = ["exec", "swapping", "sh", "-c", "tail /dev/zero"];
    assert.equal((await user.dvm(more)).code, 137);
    await user.dvm(["kill", "swapping"]);
    await user.dvm(["wait", "swapping"]);
    assert.equal(existsSync(path), false);
    await user.dvm(["rm", "swapping"]);
  });

  it("of memory alone have no swap, whatever is asked of its use", async () => {
    const limits = "-m 32m --memory-swappiness 70".split(" ");
    const script = "wc -l </proc/swaps; dd if=/dev/zero of=/dev/null bs=48M count=1; echo $?";
    const words = ["run", "--rm", ...limits, "--network", "none", "busybox", "sh", "-c", script];
    const { out, err } = await user.dvm(words);
    assert.equal(out, "1\n137\n");
    assert.match(err, /MemorySwappiness is discarded/);
  });

  it("that a running machine is too small for are told of, and count from the next start on", async () => {
    const flags = ["--network", "none", "-m", "64m", "--cpus", "1"];
    await user.dvm(["run", "-d", "--name", "small", ...flags, "busybox", "sleep", "1000"]);
    const look = ["exec", "small", "sh", "-c", "nproc; wc -l </proc/swaps"];
    assert.equal((await user.dvm(look)).out, "1\n1\n");
    const more = "--cpus 2 --cpuset-cpus 0-1 -m 128m --memory-swap 160m".split(" ");
    const { err, code } = await user.dvm(["update", ...more, "small"]);
    assert.match(err, /has \d+ MiB of memory until.*has 1 vCPU until.*has 0 MiB of swap until/s);
    assert.equal(code, 0);
    const other = await user.dvm(["update", "--cpuset-cpus", "1", "small"]);
    assert.match(other.err, /has 1 vCPU .*none of 1\n/);
    await user.dvm(["restart", "-t", "0", "small"]);
    assert.equal((await user.dvm(look)).out, "2\n2\n");
    const fewer = await user.dvm(["update", "-m", "32m", "--memory-swap", "32m", "small"]);
    assert.equal(fewer.err, "");
    await user.dvm(["rm", "-f", "small"]);
  });

  it("stop a fork bomb, and the container's end takes it along", async () => {
    // what comes after the bomb is done by the shell itself: it may have no further process either
    const script =
      "b() { b | b & }; b; cd /sys/fs/cgroup; refused=0; until [ $refused -gt 0 ]; do read name refused <pids.events; done; read peak <pids.peak; echo $peak";
    const { code, out } = await user.dvm([
      "run",
      "--rm",
      "--pids-limit",
      "30",
      "busybox",
      "sh",
      "-c",
      `exec 2>/dev/null; ${script}`,
    ]);
    assert.deepEqual([code, out], [0, "30\n"]);
    assert.deepEqual(user.leftovers(), []);
  });

  it("of resources are the process's, soft and hard", async () => {
    const flags = "--ulimit nofile=100:200 --ulimit core=0 --ulimit fsize=10 --oom-score-adj 500";
    const script =
      "ulimit -n; ulimit -Hn; ulimit -c; (head -c 100000 /dev/zero >/f) 2>/dev/null; echo $?; cat /proc/self/oom_score_adj";
    const { out } = await user.dvm([
      "run",
      "--rm",
      ...flags.split(" "),
      "busybox",
      "sh",
      "-c",
      script,
    ]);
    // 128 + SIGXFSZ
    assert.equal(out, "100\n200\n0\n153\n500\n");
  });
});
