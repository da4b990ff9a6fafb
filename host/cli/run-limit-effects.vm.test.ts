import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { after, describe, it } from "node:test";
import { TestUser, until } from "./test-dvm.ts";
import { assertFreedMemoryComesBack } from "./test-freed-memory.ts";

// what is looked at here is a machine that has booted; of clones, see template.vm.test.ts
const user = new TestUser({ DVM_TEMPLATE: "off", DVM_POOL: "0" });
after(() => user[Symbol.dispose]());

const NO_NETWORK = ["--network", "none"];

describe("memory", () => {
  it("that a container frees goes back to the host", async () => {
    const run = ["run", "-d", "--name", "freeing", ...NO_NETWORK, "-m", "500m"];
    await user.dvm([...run, "busybox", "sleep", "1000"]);
    await assertFreedMemoryComesBack(user, "freeing");
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

describe("weights", () => {
  it("leave no control group on the host, however the container ends", async (t) => {
    if (process.getuid?.() !== 0) return t.skip("control groups of the host are root's");
    for (const command of ["true", "/no/such/program"]) {
      const flags = ["--rm", "--cpu-shares", "512", ...NO_NETWORK];
      const { out } = await user.dvm(["create", ...flags, "busybox", command]);
      const id = out.slice(0, 12);
      assert.match(id, /^[0-9a-f]{12}$/);
      await user.dvm(["start", "--attach", id]);
      await until("its removal", async () => !(await user.dvm(["ps", "-aq"])).out.includes(id));
      assert.deepEqual(globSync(`/sys/fs/cgroup/{,*/}dvm/${id}`), []);
    }
  });
});
