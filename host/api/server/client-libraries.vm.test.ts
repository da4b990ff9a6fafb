import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import Dockerode from "dockerode";
import { GenericContainer, Network, Wait } from "testcontainers";
import { TestDvmd } from "./test-dvmd.ts";

const dvmd = new TestDvmd();
const docker = new Dockerode({ socketPath: dvmd.socket });
const isRoot = process.getuid?.() === 0;

before(async () => {
  process.env.DOCKER_HOST = `unix://${dvmd.socket}`;
  process.env.DOCKER_CONFIG = dvmd.folder;
  // its reaper is a container of an image that is not here
  process.env.TESTCONTAINERS_RYUK_DISABLED = "true";
  await dvmd.start();
});
after(() => dvmd[Symbol.asyncDispose]());

describe("dockerode", () => {
  it("runs a container and gets its output and exit code", async () => {
    const output = new PassThrough();
    const command = ["sh", "-c", "echo out; exit 3"];
    const [end, container] = await docker.run("busybox", command, output);
    assert.equal(end.StatusCode, 3);
    assert.equal(String(output.read()), "out\r\n");
    await container.remove();
  });

  it("starts, watches, waits for and removes a container", async () => {
    const seen: string[] = [];
    const events = await docker.getEvents();
    events.on("data", (piece) => {
      for (const line of String(piece).trim().split("\n")) seen.push(JSON.parse(line).Action);
    });
    const Cmd = ["sh", "-c", "echo up; exec sleep 1000"];
    const box = await docker.createContainer({ Image: "busybox", Cmd });
    await box.start();
    const { memory_stats, cpu_stats } = await box.stats({ stream: false });
    assert.ok(memory_stats.usage > 0 && cpu_stats.cpu_usage.total_usage > 0);
    const end = box.wait();
    await box.kill();
    assert.equal((await end).StatusCode, 137);
    // a header of eight bytes, and the line
    assert.equal(String((await box.logs({ stdout: true })).subarray(8)), "up\n");
    await box.remove();
    while (!seen.includes("destroy")) await delay(20);
    assert.deepEqual(seen, [
      ...["create", "connect", "start", "kill", "die", "disconnect", "destroy"],
    ]);
    (events as PassThrough).destroy();
  });

  it("runs a command with input, output apart, and its exit code once the streams have ended", async () => {
    const Cmd = ["sleep", "1000"];
    const box = await docker.createContainer({ Image: "busybox", Cmd });
    await box.start();
    const exec = await box.exec({
      Cmd: ["sh", "-c", "cat; echo err >&2; exit 5"],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    const [out, err] = [new PassThrough(), new PassThrough()];
    docker.modem.demuxStream(stream, out, err);
    stream.end("input");
    const ended = new Promise((resolve) => stream.once("end", resolve));
    await ended;
    assert.equal((await exec.inspect()).ExitCode, 5);
    out.end();
    err.end();
    assert.deepEqual([await text(out), await text(err)], ["input", "err\n"]);
    await box.remove({ force: true });
  });
});

describe("testcontainers", { skip: isRoot ? false : "networks of one's own need root" }, () => {
  it("starts containers in a network, waits until they serve, copies files and runs commands", async () => {
    const network = await new Network().start();
    const web = await new GenericContainer("busybox")
      .withNetwork(network)
      .withNetworkAliases("web")
      .withExposedPorts(80)
      .withCopyContentToContainer([{ content: "hello\n", target: "/w/x" }])
      .withCommand(["sh", "-c", "echo ready; exec httpd -f -p 80 -h /w"])
      .withWaitStrategy(Wait.forAll([Wait.forLogMessage("ready"), Wait.forHttp("/x", 80)]))
      .start();
    const answer = await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}/x`);
    assert.equal(await answer.text(), "hello\n");
    const other = await new GenericContainer("busybox")
      .withNetwork(network)
      .withCommand(["sleep", "1000"])
      .start();
    const { output, exitCode } = await other.exec(["wget", "-qO-", "http://web/x"]);
    assert.deepEqual({ output, exitCode }, { output: "hello\n", exitCode: 0 });
    await other.stop();
    await web.stop();
    await network.stop();
    assert.deepEqual(await docker.listContainers({ all: true }), []);
  });
});
