import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { TestUser, until } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

const RUN = ["run", "--rm", "busybox"];

describe("signals of dvm run", () => {
  it("are handed to the process one by one; the third that asks for an end is obeyed", async () => {
    const names = ["USR1", "USR2", "HUP", "QUIT", "ALRM"];
    const traps = names.map((name) => `trap "echo got ${name}" ${name}`).join("; ");
    const script = `${traps}; trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done`;
    const call = user.start([...RUN, "sh", "-c", script]);
    await call.says("ready");
    for (const name of names) {
      call.child.kill(`SIG${name}` as NodeJS.Signals);
      await call.says(`got ${name}`);
    }
    // after SIGHUP and SIGQUIT
    call.child.kill("SIGTERM");
    assert.equal((await call.result).code, 143);
    assert.deepEqual(user.leftovers(), []);
  });

  it("let a process end as it likes", async () => {
    const script = 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.1; done';
    const call = user.start([...RUN, "sh", "-c", script]);
    await call.says("ready");
    call.child.kill("SIGTERM");
    const { code, out } = await call.result;
    assert.deepEqual([code, out], [9, "ready\ngot it\n"]);
  });

  it("end a container that does not listen, at the third", async () => {
    const call = user.start([...RUN, "sh", "-c", "echo ready; while :; do sleep 1; done"]);
    await call.says("ready");
    for (const _ of [1, 2, 3]) {
      call.child.kill("SIGINT");
      await setTimeout(100);
    }
    assert.equal((await call.result).code, 130);
    assert.deepEqual(user.leftovers(), []);
  });

  it("reach the command of --init's container, which gives 128 plus their number", async () => {
    const call = user.start([
      ..."run --rm --init busybox sh -c".split(" "),
      "echo ready; exec sleep 1000",
    ]);
    await call.says("ready");
    call.child.kill("SIGTERM");
    assert.equal((await call.result).code, 143);
    assert.deepEqual(user.leftovers(), []);
  });

  it("of a process's own end give the same; under --init orphans are reaped", async () => {
    const script = "(sleep 0.1 & exec true); sleep 0.5; ps; kill -SEGV $$; echo lived";
    const { code, out } = await user.dvm(["run", "--rm", "--init", "busybox", "sh", "-c", script]);
    assert.equal(code, 139);
    assert.match(out, /^ +1 root +\/\S*init/m);
    assert.doesNotMatch(out, /\[sleep\]|sleep 0\.1$|^lived/m);
  });

  it("do not end process 1 of a container that has no handler for them, as on Linux", async () => {
    const script = "kill -TERM $$; kill -KILL $$; echo lived";
    const { code, out } = await user.dvm([...RUN, "sh", "-c", script]);
    assert.deepEqual([code, out], [0, "lived\n"]);
  });
});

describe("an interrupt", () => {
  it("ends the loading of an image, and leaves nothing of it", async () => {
    using fresh = new TestUser();
    const call = fresh.start(["run", "--rm", "programs", "sleep", "1000"]);
    await until("the load", () => fresh.files("images/tmp").length > 0);
    call.child.kill("SIGINT");
    const { code, err } = await call.result;
    assert.equal(code, 130, err);
    assert.deepEqual(fresh.leftovers(), []);
    assert.deepEqual(fresh.files("images/tmp"), []);
    assert.deepEqual(fresh.files("root-disks"), []);
  });

  it("ends the boot of the machine", async () => {
    const call = user.start(["run", "--rm", "--verbose", "busybox", "sleep", "1000"]);
    await call.says("vm-spawn");
    call.child.kill("SIGINT");
    assert.equal((await call.result).code, 130);
    assert.deepEqual(user.leftovers(), []);
  });

  it("ends a start at any moment and leaves nothing behind", async () => {
    for (const milliseconds of [60, 120, 180, 260, 350, 500, 700, 900]) {
      const call = user.start([...RUN, "sleep", "1000"]);
      await setTimeout(milliseconds);
      call.child.kill("SIGINT");
      // one that came to run meanwhile has a process that ignores it: until the third
      const again = setInterval(() => call.child.kill("SIGINT"), 500);
      const { code, err } = await call.result.finally(() => clearInterval(again));
      assert.ok(code === 130 || code === "SIGINT", `after ${milliseconds} ms: ${code} ${err}`);
      assert.deepEqual(user.leftovers(), [], `after ${milliseconds} ms`);
    }
  });
});

describe("a dvm that is killed", () => {
  it("leaves its container to the daemon, and others can go on with it", async () => {
    const call = user.start([...RUN, "sh", "-c", "echo ready; sleep 1000"]);
    await call.says("ready");
    call.child.kill("SIGKILL");
    await once(call.child, "close");
    const [id = ""] = (await user.dvm(["ps", "-q"])).out.split("\n");
    assert.equal((await user.dvm(["logs", id])).out, "ready\n");
    assert.equal((await user.dvm(["kill", id])).code, 0);
    await until("the removal", () => user.leftovers().length === 0);
  });
});
