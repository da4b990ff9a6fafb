import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { TestUser } from "./test-dvm.ts";

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
