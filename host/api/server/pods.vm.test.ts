import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { noDocker, TestDvmd } from "./test-dvmd.ts";

const dvmd = new TestDvmd();
const docker = dvmd.docker.bind(dvmd);
const succeed = dvmd.succeed.bind(dvmd);
const skip = await noDocker();
/** Serves the file `x`, whose text is its first argument. */
const SERVE = "mkdir -p /w && echo $0 > /w/x && exec httpd -f -p 8080 -h /w";
/** Runs until it is told to end, with an exit code of its own. */
const WAIT = 'trap "exit $0" TERM; echo up; while :; do sleep 0.1; done';

async function inspect(format: string, container: string): Promise<string> {
  return (await succeed("inspect", "-f", format, container)).trim();
}

async function logged(container: string, text: string): Promise<void> {
  while (!(await succeed("logs", container)).includes(text)) await delay(20);
}

describe("containers that share a machine", { skip }, () => {
  before(async () => {
    await dvmd.start();
    await succeed(
      ...["run", "-d", "--name", "web", "--network", "none", "--ipc", "shareable"],
      ...["busybox", "sh", "-c", SERVE, "hello"],
    );
  });
  after(() => dvmd[Symbol.asyncDispose]());

  const joining = (...words: string[]) => ["run", "--network", "container:web", ...words];

  it("have one network and one name, and files and processes of their own", async () => {
    const script =
      "wget -qO- 127.0.0.1:8080/x; hostname; ls /w 2>&1; ps | grep -c [h]ttpd; cat /etc/hosts; exit 7";
    const { code, out } = await docker(joining("--rm", "busybox", "sh", "-c", script));
    const lines = out.split("\n");
    const name = await inspect("{{.Config.Hostname}}", "web");
    assert.equal(code, 7);
    assert.deepEqual(lines.slice(0, 4), ["hello", name, "ls: /w: No such file or directory", "0"]);
    assert.match(await succeed("exec", "web", "cat", "/etc/hosts"), /localhost/);
    assert.ok(out.endsWith(await succeed("exec", "web", "cat", "/etc/hosts")));
  });

  it("are containers of their own for whoever manages them", async () => {
    await succeed(...joining("-d", "--name", "side", "busybox", "sh", "-c", WAIT, "5"));
    const [web, side] = [await inspect("{{.Id}}", "web"), await inspect("{{.Id}}", "side")];
    assert.equal(await inspect("{{.HostConfig.NetworkMode}}", "side"), `container:${web}`);
    assert.equal(await inspect("{{json .NetworkSettings.Networks}}", "side"), "{}");
    assert.equal(await inspect("{{.State.Pid}}", "side"), await inspect("{{.State.Pid}}", "web"));
    await succeed("cp", join(dvmd.dataRoot, "id"), "side:/copied");
    assert.match(await succeed("exec", "side", "cat", "/copied"), /^[0-9a-f-]{36}/);
    assert.equal((await docker(["exec", "web", "cat", "/copied"])).code, 1);
    assert.match(await succeed("diff", "side"), /^A \/copied$/m);
    const stats = await succeed("stats", "--no-stream", "--format", "{{.ID}} {{.PIDs}}");
    assert.match(stats, new RegExp(`${side.slice(0, 12)} [12]`));
    await succeed("stop", "side");
    assert.equal(await inspect("{{.State.ExitCode}} {{.State.Running}}", "side"), "5 false");
    assert.equal(await inspect("{{.State.Running}}", "web"), "true");
    await succeed("start", "side");
    assert.match(await succeed("exec", "side", "cat", "/copied"), /^[0-9a-f-]{36}/);
    await succeed("rm", "-f", "side");
    assert.equal(await succeed("exec", "web", "wget", "-qO-", "127.0.0.1:8080/x"), "hello\n");
  });

  it("are found again by a daemon that comes after one that was killed", async () => {
    await succeed(...joining("-d", "--name", "side", "busybox", "sh", "-c", WAIT, "6"));
    await logged("side", "up");
    await dvmd.kill();
    await dvmd.start();
    assert.equal(await inspect("{{.State.Running}}", "side"), "true");
    assert.equal(await succeed("exec", "side", "wget", "-qO-", "127.0.0.1:8080/x"), "hello\n");
    await succeed("stop", "side");
    assert.equal(await inspect("{{.State.ExitCode}}", "side"), "6");
    assert.equal(await succeed("logs", "side"), "up\n");
    // its disks are free: it can start again
    await succeed("start", "side");
    await succeed("rm", "-f", "side");
  });

  it("see each other's processes and shared memory where that was asked for", async () => {
    await succeed("exec", "web", "sh", "-c", "echo shared > /dev/shm/file");
    const script = "cat /dev/shm/file; ps | grep -c [h]ttpd";
    const also = ["--pid", "container:web", "--ipc", "container:web"];
    const both = await succeed(...joining("--rm", ...also, "busybox", "sh", "-c", script));
    assert.equal(both, "shared\n1\n");
    const alone = await docker([
      "run",
      "--rm",
      "--network",
      "none",
      ...also.slice(0, 2),
      "busybox",
      "ps",
    ]);
    assert.match(alone.out, /httpd/);
  });

  it("have volumes that are disks, temporary ones, and what the first one has of the host", async () => {
    await succeed("volume", "create", "-o", "type=disk", "-o", "size=32M", "disk");
    const mounts = ["-v", "disk:/d", "--tmpfs", "/t", "-v", "/anonymous"];
    const write =
      "echo kept > /d/file && echo x > /anonymous/x && df /t /anonymous | tail -n 2 | cut -d' ' -f1";
    const out = await succeed(...joining("--rm", ...mounts, "busybox", "sh", "-c", write));
    assert.match(out, /^tmpfs\n\/dev\/sd/);
    const again = await succeed(...joining("--rm", "-v", "disk:/d", "busybox", "cat", "/d/file"));
    assert.equal(again, "kept\n");
    const { code, err } = await docker(joining("--rm", "-v", "/etc:/e", "busybox", "true"));
    assert.equal(code, 125);
    assert.match(err, /folder \/etc cannot be shared with a machine that runs already/);
  });

  it("refuse with Docker's words what contradicts another one's network", async () => {
    const conflicts: readonly (readonly [string[], RegExp])[] = [
      [["--hostname", "h"], /conflicting options: hostname and the network mode/],
      [["--dns", "1.1.1.1"], /conflicting options: dns and the network mode/],
      [["--add-host", "a:1.1.1.1"], /custom host-to-IP mapping and the network mode/],
      [["--mac-address", "02:00:00:00:00:09"], /mac-address and the network mode/],
      [["-p", "80:80"], /port publishing and the container type network mode/],
      [["--expose", "80"], /port exposing and the container type network mode/],
    ];
    for (const [words, message] of conflicts) {
      const { code, err } = await docker(joining("--rm", ...words, "busybox", "true"));
      assert.equal(code, 125, words.join(" "));
      assert.match(err, message);
    }
    const missing = await docker(["create", "--network", "container:nobody", "busybox"]);
    assert.match(missing.err, /[Nn]o such container: nobody/);
  });

  it("end with the machine, and cannot start without it", async () => {
    const first = [
      "run",
      "-d",
      "--name",
      "first",
      "--network",
      "none",
      "busybox",
      "sh",
      "-c",
      WAIT,
      "1",
    ];
    await succeed(...first);
    const words = ["run", "-d", "--network", "container:first"];
    await succeed(...words, "--name", "orderly", "busybox", "sh", "-c", WAIT, "8");
    await logged("orderly", "up");
    await succeed("stop", "first");
    assert.equal(await inspect("{{.State.ExitCode}}", "orderly"), "8");
    await succeed("start", "first");
    await succeed("start", "orderly");
    process.kill(Number(await inspect("{{.State.Pid}}", "first")), "SIGKILL");
    await succeed("wait", "orderly");
    assert.equal(await inspect("{{.State.ExitCode}}", "orderly"), "137");
    assert.match(
      await inspect("{{.State.Error}}", "orderly"),
      /the machine of container .* has ended/,
    );
    await succeed("wait", "first");
    const { err } = await docker(["start", "orderly"]);
    const id = await inspect("{{.Id}}", "first");
    assert.match(err, new RegExp(`cannot join network of a non running container: ${id}`));
    await succeed("rm", "-f", "first", "orderly");
  });
});
