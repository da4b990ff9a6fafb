import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { noDocker, TestDvmd } from "./test-dvmd.ts";

const dvmd = new TestDvmd();
const { folder } = dvmd;
const docker = dvmd.docker.bind(dvmd);
const succeed = dvmd.succeed.bind(dvmd);

describe("the stock docker client", { skip: await noDocker() }, () => {
  before(() => dvmd.start());
  after(() => dvmd[Symbol.asyncDispose]());

  it("runs a container: output apart, exit code, input", async () => {
    const words = ["run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo no >&2; exit 3"];
    const { code, out, err } = await docker(words, "yes\n");
    assert.deepEqual({ code, out, err }, { code: 3, out: "yes\n", err: "no\n" });
    assert.equal(await succeed("ps", "-aq"), "");
  });

  it("says of a command that is not there what Docker says", async () => {
    const { code, err } = await docker(["run", "--rm", "busybox", "nosuch"]);
    assert.equal(code, 127);
    assert.match(err, /exec: "nosuch": executable file not found in \$PATH/);
  });

  it("runs commands in a container, and shows its processes, counters and log", async () => {
    await succeed("run", "-d", "--name", "box", "busybox", "sh", "-c", "echo up; exec sleep 1000");
    assert.equal(
      await succeed("exec", "-e", "A=b", "-w", "/tmp", "box", "sh", "-c", "echo $A; pwd"),
      "b\n/tmp\n",
    );
    assert.equal((await docker(["exec", "box", "sh", "-c", "exit 7"])).code, 7);
    assert.equal((await docker(["exec", "box", "nosuch"])).code, 127);
    assert.equal((await docker(["exec", "-i", "box", "cat"], "through")).out, "through");
    assert.match(await succeed("top", "box"), /sleep 1000/);
    assert.match(await succeed("stats", "--no-stream", "box"), /box/);
    assert.equal(await succeed("logs", "box"), "up\n");
  });

  it("pauses, renames, stops and starts it again with its files", async () => {
    await succeed("exec", "box", "sh", "-c", "echo kept > /file");
    await succeed("pause", "box");
    assert.equal((await docker(["exec", "box", "true"])).code, 1);
    await succeed("unpause", "box");
    await succeed("rename", "box", "crate");
    await succeed("stop", "-t", "0", "crate");
    assert.match(await succeed("ps", "-a", "--format", "{{.Status}}"), /^Exited \(137\)/);
    await succeed("start", "crate");
    assert.equal(await succeed("exec", "crate", "cat", "/file"), "kept\n");
  });

  it("copies files in and out of a container, running or not, and tells what changed", async () => {
    const source = join(folder, "source");
    mkdirSync(join(source, "deep"), { recursive: true });
    writeFileSync(join(source, "deep", "file"), "content");
    await succeed("cp", source, "crate:/copied");
    assert.equal(await succeed("exec", "crate", "cat", "/copied/deep/file"), "content");
    await succeed("stop", "-t", "0", "crate");
    await succeed("cp", "crate:/copied/deep/file", join(folder, "back"));
    assert.equal(readFileSync(join(folder, "back"), "utf8"), "content");
    assert.equal((await docker(["cp", "crate:/nosuch", folder])).code, 1);
    const changes = (await succeed("diff", "crate")).split("\n");
    assert.ok(changes.includes("A /copied/deep/file") && changes.includes("A /file"));
    await succeed("commit", "crate", "committed:1");
    assert.equal(await succeed("run", "--rm", "committed:1", "cat", "/file"), "kept\n");
    await succeed("rm", "crate");
  });

  it("finds containers, output and exit codes again after dvmd was killed", async () => {
    const count =
      "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; done; sleep 3; echo end; exit 9";
    await succeed("run", "-d", "--name", "counter", "busybox", "sh", "-c", count);
    await succeed(
      "run",
      "-d",
      "-i",
      "--name",
      "reader",
      "busybox",
      "sh",
      "-c",
      "read x; echo got $x; exit 5",
    );
    await dvmd.kill();
    await dvmd.start();
    assert.equal(await succeed("wait", "counter"), "9\n");
    const wanted = [...Array.from({ length: 400 }, (_, index) => index + 1), "end", ""].join("\n");
    assert.equal(await succeed("logs", "counter"), wanted);
    assert.equal((await docker(["attach", "reader"], "hello\n")).out, "got hello\n");
    assert.equal(await succeed("wait", "reader"), "5\n");
    await succeed("rm", "counter", "reader");
  });

  it("says 137 of a container whose machine was killed, while dvmd runs and while it does not", async () => {
    await succeed("run", "-d", "--name", "victim", "busybox", "sleep", "1000");
    const machine = async () => Number(await succeed("inspect", "-f", "{{.State.Pid}}", "victim"));
    process.kill(await machine(), "SIGKILL");
    assert.equal(await succeed("wait", "victim"), "137\n");
    await succeed("start", "victim");
    const pid = await machine();
    await dvmd.kill();
    process.kill(pid, "SIGKILL");
    await dvmd.start();
    assert.equal(await succeed("wait", "victim"), "137\n");
    await succeed("rm", "victim");
  });

  it("restarts what its policy says", async () => {
    const policy = ["--restart", "on-failure:2"];
    await succeed(
      "run",
      "-d",
      "--name",
      "again",
      ...policy,
      "busybox",
      "sh",
      "-c",
      "echo x; exit 1",
    );
    while (
      (await succeed("inspect", "-f", "{{.State.Status}} {{.RestartCount}}", "again")) !==
      "exited 2\n"
    )
      await delay(200);
    assert.equal(await succeed("logs", "again"), "x\nx\nx\n");
    await succeed("rm", "again");
  });
});
