import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { noDocker, TestDvmd } from "./test-dvmd.ts";

const dvmd = new TestDvmd();
const succeed = dvmd.succeed.bind(dvmd);
const skip = await noDocker();

/** A client that reads until a piece of its output holds some text; it goes on then. */
async function readUntil(words: readonly string[], text: string) {
  const env = { ...process.env, DOCKER_HOST: `unix://${dvmd.socket}`, DOCKER_CONFIG: dvmd.folder };
  const child = spawn("docker", words, { env, stdio: ["ignore", "pipe", "ignore"] });
  let seen = "";
  for await (const piece of child.stdout.iterator({ destroyOnReturn: false })) {
    seen += piece;
    if (seen.includes(text)) break;
  }
  child.stdout.resume();
  return { seen, ended: once(child, "exit") };
}

async function restart(): Promise<void> {
  await dvmd.kill();
  await dvmd.start();
}

async function inspectExec(id: string): Promise<{ Running: boolean; ExitCode: number | null }> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  request({ socketPath: dvmd.socket, path: `/exec/${id}/json` }, async (answer) => {
    resolve(Buffer.concat(await answer.toArray()).toString());
  })
    .on("error", reject)
    .end();
  return JSON.parse(await promise);
}

describe("a dvmd that is killed while a container", { skip }, () => {
  before(() => dvmd.start());
  after(() => dvmd[Symbol.asyncDispose]());

  it("runs a command leaves the command, whose exit code the next one tells", async () => {
    await succeed("run", "-d", "--name", "box", "busybox", "sleep", "1000");
    const command = "echo begun; sleep 2; echo done > /file; exit 4";
    const { ended } = await readUntil(["exec", "box", "sh", "-c", command], "begun");
    await restart();
    await ended;
    const [id = ""] = JSON.parse(await succeed("inspect", "-f", "{{json .ExecIDs}}", "box"));
    assert.equal((await inspectExec(id)).Running, true);
    while ((await inspectExec(id)).Running) await delay(50);
    assert.equal((await inspectExec(id)).ExitCode, 4);
    assert.equal(await succeed("exec", "box", "cat", "/file"), "done\n");
    await succeed("rm", "-f", "box");
  });

  it("is told to stop does not start it again, and tells how it ended", async () => {
    const slow = "trap 'echo term; sleep 1; exit 7' TERM; echo up; while :; do sleep 0.1; done";
    await succeed(
      "run",
      "-d",
      "--name",
      "box",
      "--restart",
      "unless-stopped",
      "busybox",
      "sh",
      "-c",
      slow,
    );
    const reader = await readUntil(["logs", "-f", "box"], "up");
    const follower = readUntil(["logs", "-f", "box"], "term");
    const stopped = dvmd.docker(["stop", "-t", "20", "box"]);
    await follower;
    await restart();
    await Promise.all([stopped, reader.ended, (await follower).ended]);
    assert.equal(await succeed("wait", "box"), "7\n");
    assert.equal(await succeed("inspect", "-f", "{{.State.Status}}", "box"), "exited\n");
    assert.equal(await succeed("logs", "box"), "up\nterm\n");
    await succeed("rm", "box");
  });

  it("ends loses neither its last lines nor its exit code", async () => {
    for (const late of [0, 60, 200]) {
      const command = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; done; exit 5";
      await succeed("create", "--name", "box", "busybox", "sh", "-c", command);
      await succeed("start", "box");
      const { ended } = await readUntil(["logs", "-f", "box"], "300\n");
      await delay(late);
      await restart();
      await ended;
      assert.equal(await succeed("wait", "box"), "5\n");
      const lines = Array.from({ length: 300 }, (_, index) => `${index + 1}\n`).join("");
      assert.equal(await succeed("logs", "box"), lines);
      await succeed("rm", "box");
    }
  });

  it("is one to be removed removes it in the end", async () => {
    await succeed("run", "-d", "--rm", "--name", "box", "busybox", "sleep", "1");
    await restart();
    while ((await succeed("ps", "-aq")) !== "") await delay(100);
  });

  it("writes its log serves what comes to those who follow it again", async () => {
    const count = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo $i; sleep 0.05; done";
    await succeed("run", "-d", "--name", "box", "busybox", "sh", "-c", count);
    const { ended } = await readUntil(["logs", "-f", "box"], "5\n");
    await dvmd.kill();
    await ended;
    await dvmd.start();
    const lines = Array.from({ length: 40 }, (_, index) => `${index + 1}\n`).join("");
    assert.equal(await succeed("logs", "-f", "box"), lines);
    await succeed("rm", "box");
  });
});
