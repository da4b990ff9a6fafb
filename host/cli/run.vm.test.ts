import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { TestUser, until } from "./test-dvm.ts";

const user = new TestUser();
before(() => user.dvm(["run", "--rm", "busybox", "true"]));
after(() => user[Symbol.dispose]());

const RUN = ["run", "--rm", "busybox"];

describe("dvm run", () => {
  it("keeps output and errors apart and ends with the command's exit code", async () => {
    const result = await user.dvm([...RUN, "sh", "-c", "echo out; echo err >&2; exit 42"]);
    assert.deepEqual(result, { code: 42, out: "out\n", err: "err\n" });
    assert.deepEqual(user.leftovers(), []);
  });

  it("hands input on with -i, and its end; without it the input is empty", async () => {
    const input = "line\n".repeat(20_000);
    const given = await user.dvm(["run", "--rm", "-i", "busybox", "wc", "-c"], input);
    assert.equal(given.out.trim(), String(input.length));
    const none = await user.dvm([...RUN, "wc", "-c"], input);
    assert.equal(none.out.trim(), "0");
  });

  it("carries bytes as they are", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const { out } = await user.dvm(["run", "--rm", "-i", "busybox", "md5sum"], bytes);
    assert.equal(out, "e2c865db4162bed963bfaa9ef6ac18f0  -\n");
  });

  const failures: [string, string[], number, RegExp][] = [
    ["a missing command", [...RUN, "nosuch"], 127, /exec: "nosuch": executable file not found/],
    ["a folder as command", [...RUN, "/etc"], 126, /exec: "\/etc": is a directory/],
    ["a file that is no program", [...RUN, "/etc/passwd"], 126, /permission denied/],
    [
      "an unknown user",
      ["run", "--rm", "-u", "nobody2", "busybox", "id"],
      125,
      /unable to find user nobody2/,
    ],
    [
      "an unknown image",
      ["run", "--rm", "--pull", "never", "nosuchimage", "x"],
      125,
      /no such image: nosuchimage/i,
    ],
    [
      "an image that no registry gives",
      ["run", "--rm", "localhost:1/nosuchimage", "x"],
      125,
      /unable to find image localhost:1\/nosuchimage:latest locally(.|\n)*localhost:1/,
    ],
    ["a folder that is no image", ["run", "--rm", "oci:/etc", "x"], 125, /\/etc/],
  ];
  for (const [what, words, code, message] of failures) {
    it(`ends with ${code} for ${what}`, async () => {
      const result = await user.dvm(words);
      assert.match(result.err, message);
      assert.equal(result.code, code);
      assert.deepEqual(user.leftovers(), []);
    });
  }

  it("gives the process its environment, folder, user and names", async () => {
    const { out, err } = await user.dvm([
      ..."run --rm -e A=1 -w /some/where -u 1000:1001 -h box --add-host db:10.0.0.1".split(" "),
      "busybox",
      "sh",
      "-c",
      'echo "$A $PWD $(hostname) $HOSTNAME"; id -u; id -g; grep db /etc/hosts',
    ]);
    assert.equal(err, "");
    assert.deepEqual(out.split("\n").slice(0, 3), ["1 /some/where box box", "1000", "1001"]);
    assert.match(out, /^10\.0\.0\.1\s+db$/m);
  });

  it("limits memory and counts the processors asked for", async () => {
    const { out } = await user.dvm([
      ..."run --rm -m 64m --cpus 2 busybox sh -c".split(" "),
      "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max; nproc",
    ]);
    assert.equal(out, `${64 * 2 ** 20}\n200000 100000\n2\n`);
  });

  it("tells of a process that the kernel killed for want of memory", async () => {
    const result = await user.dvm([
      ..."run --rm -m 16m busybox sh -c".split(" "),
      "head -c 100m /dev/zero | tail",
    ]);
    assert.equal(result.code, 137);
  });

  it("keeps the root as it is with --read-only, and writes to --tmpfs", async () => {
    const { out } = await user.dvm([
      ..."run --rm --read-only --tmpfs /scratch:size=1m busybox sh -c".split(" "),
      "touch /x 2>/dev/null || echo no; touch /scratch/x && echo yes",
    ]);
    assert.equal(out, "no\nyes\n");
  });

  it("keeps a stopped container without --rm, with its exit code and its name", async () => {
    assert.equal((await user.dvm(["run", "--name", "kept", "busybox", "false"])).code, 1);
    const listed = await user.dvm(["ps", "-a"]);
    assert.match(listed.out, /Exited \(1\) .* kept\n/);
    const again = await user.dvm(["run", "--name", "kept", "busybox", "true"]);
    assert.equal(again.code, 125);
    assert.match(again.err, /container name "\/kept" is already in use/);
    assert.equal((await user.dvm(["rm", "kept"])).out, "kept\n");
    assert.deepEqual(user.leftovers(), []);
  });
});

describe("signals", () => {
  it("reach the process", async () => {
    const script = 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.1; done';
    const call = user.start([...RUN, "sh", "-c", script]);
    await until("the process", () => call.output().includes("ready"));
    call.child.kill("SIGTERM");
    const { code, out } = await call.result;
    assert.deepEqual([code, out], [9, "ready\ngot it\n"]);
  });

  it("end a process under --init with 128 plus their number", async () => {
    const call = user.start([
      ..."run --rm --init busybox sh -c".split(" "),
      "echo ready; exec sleep 1000",
    ]);
    await until("the process", () => call.output().includes("ready"));
    call.child.kill("SIGTERM");
    assert.equal((await call.result).code, 143);
    assert.deepEqual(user.leftovers(), []);
  });

  it("end a container that does not listen, at the third", async () => {
    const call = user.start([...RUN, "sh", "-c", "echo ready; while :; do sleep 1; done"]);
    await until("the process", () => call.output().includes("ready"));
    for (const _ of [1, 2, 3]) {
      call.child.kill("SIGINT");
      await setTimeout(100);
    }
    assert.equal((await call.result).code, 130);
    assert.deepEqual(user.leftovers(), []);
  });

  it("interrupt a start at any moment and leave nothing behind", async () => {
    for (const milliseconds of [60, 120, 180, 260, 350, 500, 700, 900]) {
      const call = user.start([...RUN, "sleep", "1000"]);
      await setTimeout(milliseconds);
      call.child.kill("SIGINT");
      // one that came to run meanwhile has a process that ignores it: until the third
      const again = setInterval(() => call.child.kill("SIGINT"), 1500);
      const { code, err } = await call.result.finally(() => clearInterval(again));
      assert.ok(code === 130 || code === "SIGINT", `after ${milliseconds} ms: ${code} ${err}`);
      assert.deepEqual(user.leftovers(), [], `after ${milliseconds} ms`);
    }
  });
});

describe("a dvm that is killed", () => {
  it("takes its machine along, and the next one clears up", async () => {
    const call = user.start([...RUN, "sh", "-c", "echo ready; sleep 1000"]);
    await until("the process", () => call.output().includes("ready"));
    call.child.kill("SIGKILL");
    await once(call.child, "close");
    assert.notDeepEqual(user.leftovers(), []);
    assert.equal((await user.dvm([...RUN, "true"])).code, 0);
    assert.deepEqual(user.leftovers(), []);
  });
});

describe("a reader", () => {
  it("that goes away ends the container", async () => {
    const call = user.start([...RUN, "yes"]);
    await until("output", () => call.output().length > 0);
    call.child.stdout?.destroy();
    const [code] = await once(call.child, "exit");
    assert.equal(code, 141);
    assert.deepEqual(user.leftovers(), []);
  });
});
