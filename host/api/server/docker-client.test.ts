/** The stock docker client, where there is one, against the API. */

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type TestServer, testServer } from "./test-server.ts";

const isThere = spawnSync("docker", ["--version"]).status === 0;
const options = { skip: isThere ? false : "no docker client on this machine" };

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function docker(server: TestServer, words: readonly string[], input = ""): Promise<Outcome> {
  const config = mkdtempSync(join(tmpdir(), "dvm-docker-"));
  const env = {
    PATH: process.env.PATH,
    DOCKER_HOST: `unix://${server.path}`,
    DOCKER_CONFIG: config,
  };
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const child = execFile("docker", words, { env }, (error, out, err) => {
    resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
  });
  child.stdin?.end(input);
  try {
    return await promise;
  } finally {
    rmSync(config, { recursive: true });
  }
}

test("docker version and info know the daemon", options, async () => {
  await using server = await testServer();
  const { out } = await docker(server, [
    "version",
    "--format",
    "{{.Server.APIVersion}} {{.Server.Version}}",
  ]);
  assert.equal(out, "1.47 0.1.0\n");
  const info = await docker(server, ["info", "--format", "{{.Driver}} {{.DockerRootDir}}"]);
  assert.equal(info.out, "overlay /data\n");
});

test("docker run gives output, errors and exit code of the process", options, async () => {
  await using server = await testServer();
  const run = (...words: string[]) => docker(server, ["run", "--rm", ...words]);
  assert.deepEqual(await run("busybox", "echo", "hello"), { code: 0, out: "hello\n", err: "" });
  assert.deepEqual(await run("busybox", "warn", "oops"), { code: 0, out: "", err: "oops\n" });
  assert.equal((await run("busybox", "exit", "3")).code, 3);
  const cat = await docker(server, ["run", "--rm", "-i", "busybox", "cat"], "through\n");
  assert.deepEqual(cat, { code: 0, out: "through\n", err: "" });
  assert.equal(server.engine.kept.size, 0);
  assert.deepEqual(server.failures, []);
});

test(
  "docker ps, inspect, logs, exec, stats and top show a running container",
  options,
  async () => {
    await using server = await testServer();
    const { out: id } = await docker(server, [
      "run",
      "-d",
      "--name",
      "web",
      "-l",
      "a=1",
      "busybox",
      "sleep",
    ]);
    assert.match(id, /^[0-9a-f]{64}\n$/);
    const format = '{{.ID}} {{.Image}} {{.Command}} {{.State}} {{.Names}} {{.Label "a"}}';
    const ps = await docker(server, [
      "ps",
      "--no-trunc",
      "--filter",
      "label=a=1",
      "--format",
      format,
    ]);
    assert.equal(ps.out, `${id.trim()} busybox "sleep" running web 1\n`);
    const inspect = await docker(server, [
      "inspect",
      "-f",
      "{{.State.Status}} {{.Config.Image}} {{.Name}}",
      "web",
    ]);
    assert.equal(inspect.out, "running busybox /web\n");
    const exec = await docker(server, ["exec", "web", "echo", "inside"]);
    assert.deepEqual(exec, { code: 0, out: "inside\n", err: "" });
    assert.equal((await docker(server, ["exec", "web", "exit", "9"])).code, 9);
    const stats = "{{.Name}} {{.MemUsage}} {{.MemPerc}} {{.PIDs}}";
    const shown = await docker(server, ["stats", "--no-stream", "--format", stats, "web"]);
    assert.equal(shown.out, "web 1.907MiB / 95.37MiB 2.00% 3\n");
    assert.match((await docker(server, ["top", "web"])).out, /^PID +CMD\n1 +sh\n$/);
    assert.equal((await docker(server, ["diff", "web"])).out, "A /new\n");
    assert.equal((await docker(server, ["rm", "-f", "web"])).out, "web\n");
  },
);

test("docker logs keeps the streams apart", options, async () => {
  await using server = await testServer();
  await docker(server, ["run", "--name", "out", "busybox", "echo", "a"]);
  await docker(server, ["run", "--name", "err", "busybox", "warn", "b"]);
  assert.deepEqual(await docker(server, ["logs", "out"]), { code: 0, out: "a\n", err: "" });
  const stamped = await docker(server, ["logs", "-t", "err"]);
  assert.equal(stamped.err, "2023-11-14T22:13:20.000000001Z b\n");
});

test("docker tells refusals in the daemon's words", options, async () => {
  await using server = await testServer();
  const gone = await docker(server, ["stop", "nobody"]);
  assert.equal(gone.err, "Error response from daemon: No such container: nobody\n");
  const link = await docker(server, ["create", "--link", "a:b", "busybox"]);
  assert.equal(link.err, "Error response from daemon: HostConfig.Links is not supported\n");
  const images = await docker(server, ["images", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}"]);
  assert.equal(images.out, "busybox:latest 4MB\n");
});

test("docker runs a terminal", {
  skip:
    options.skip ||
    (spawnSync("script", ["--version"]).status === 0
      ? false
      : "no script(1) for a pseudo-terminal"),
}, async () => {
  await using server = await testServer();
  const { promise, resolve } = Promise.withResolvers<string>();
  const command = `docker -H unix://${server.path} run -it --rm busybox echo seen`;
  const child = execFile("script", ["-qec", command, "/dev/null"], (_error, out) => resolve(out));
  child.stdin?.end();
  assert.match(await promise, /^seen\r?\n/);
});
