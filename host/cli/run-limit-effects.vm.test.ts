import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { TestUser } from "./test-dvm.ts";

// clones have no balloon: what is looked at here is a machine that has booted
const user = new TestUser({ DVM_TEMPLATE: "off", DVM_POOL: "0" });
after(() => user[Symbol.dispose]());

const MIB = 2 ** 20;
const NO_NETWORK = ["--network", "none"];

/** Memory of a process on the host, in `bytes`. */
function residentMemory(pid: number): number {
  const [, kibibytes = "0"] =
    /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}

describe("memory", () => {
  it("that a container frees goes back to the host", async () => {
    const run = ["run", "-d", "--name", "freeing", ...NO_NETWORK, "-m", "500m"];
    await user.dvm([...run, "busybox", "sleep", "1000"]);
    const pid = Number((await user.dvm(["inspect", "-f", "{{.State.Pid}}", "freeing"])).out);
    const before = residentMemory(pid);
    // dd holds a whole block
    const held = user.start([
      "exec",
      "freeing",
      "sh",
      "-c",
      "dd if=/dev/zero bs=200M count=1 2>/dev/null | wc -c",
    ]);
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, residentMemory(pid));
    }, 50);
    assert.equal((await held.result).out, `${200 * MIB}\n`);
    clearInterval(watch);
    assert.ok(most - before > 150 * MIB, `it grew by ${(most - before) / MIB} MiB`);
    for (let look = 0; look < 200 && residentMemory(pid) - before > 80 * MIB; look++) {
      await setTimeout(100);
    }
    const kept = residentMemory(pid) - before;
    assert.ok(kept <= 80 * MIB, `${kept / MIB} MiB did not come back`);
    await user.dvm(["rm", "-f", "freeing"]);
  });

  it("that is not enough is told as Docker tells it: the state, the exit code and an event", async () => {
    const events = user.start(["events", "--filter", "container=starved"]);
    await user.dvm([
      "run",
      "--name",
      "starved",
      ...NO_NETWORK,
      "-m",
      "24m",
      "busybox",
      "tail",
      "/dev/zero",
    ]);
    await events.says("container die");
    events.child.kill();
    await events.result;
    const actions = events.output().match(/container \w+/g);
    assert.deepEqual(
      actions?.filter((action) => /oom|die/.test(action)),
      ["container oom", "container die"],
    );
    const format = "{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}";
    assert.equal((await user.dvm(["inspect", "-f", format, "starved"])).out, "true 137 exited\n");
  });
});

describe("processors", () => {
  it("are used no more than a container may, and the new limit counts at once", async () => {
    const run = ["run", "-d", "--name", "busy", ...NO_NETWORK, "--cpus", "0.5"];
    await user.dvm([...run, "busybox", "sh", "-c", "while :; do :; done"]);
    assert.ok((await share()) <= 0.55);
    await user.dvm(["update", "--cpus", "0.2", "busy"]);
    assert.ok((await share()) <= 0.22);
    await user.dvm(["rm", "-f", "busy"]);
  });

  /** Processor time that the container has used while some went by in the guest. */
  async function share(): Promise<number> {
    const script = `look() { cut -d' ' -f1 /proc/uptime; grep usage_usec /sys/fs/cgroup/cpu.stat | cut -d' ' -f2; }
      echo $(look); sleep 4; echo $(look)`;
    const { out } = await user.dvm(["exec", "busy", "sh", "-c", script]);
    const [from = [], to = []] = out
      .trim()
      .split("\n")
      .map((line) => line.split(" ").map(Number));
    const [seconds = 0, used = 0] = to.map((value, index) => value - (from[index] ?? 0));
    return used / 1e6 / seconds;
  }
});
