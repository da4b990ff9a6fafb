import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { noDocker, TestDvmd } from "./test-dvmd.ts";

const dvmd = new TestDvmd();
const docker = dvmd.docker.bind(dvmd);
const succeed = dvmd.succeed.bind(dvmd);
const skip = process.getuid?.() === 0 ? await noDocker() : "bridges need root";
/** Serves the file `x`, whose text is its first argument. */
const SERVE = "mkdir -p /w && echo $0 > /w/x && exec httpd -f -p 80 -h /w";

async function hostPort(container: string): Promise<number> {
  return Number((await succeed("port", container, "80/tcp")).trim().split(":").at(-1));
}

async function fetchText(port: number): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/x`);
  return answer.text();
}

/** A container that has started serves a little later. */
async function serving(port: number): Promise<void> {
  while (!(await fetchText(port).catch(() => ""))) await delay(20);
}

describe("the stock docker client's networks", { skip }, () => {
  before(() => dvmd.start());
  after(() => dvmd[Symbol.asyncDispose]());

  it("makes, lists, inspects and removes networks, and refuses with Docker's words", async () => {
    const id = await succeed(
      "network",
      "create",
      "--label",
      "a=b",
      "--subnet",
      "10.213.7.0/24",
      "one",
    );
    assert.match(id, /^[0-9a-f]{64}\n$/);
    assert.equal(await succeed("network", "ls", "-q", "--no-trunc", "--filter", "label=a=b"), id);
    const format = "{{(index .IPAM.Config 0).Gateway}} {{.Driver}}";
    assert.equal(await succeed("network", "inspect", "-f", format, "one"), "10.213.7.1 bridge\n");
    assert.match(
      (await docker(["network", "create", "one"])).err,
      /network with name one already exists/,
    );
    const { err } = await docker(["network", "create", "--subnet", "10.213.7.128/25", "two"]);
    assert.match(err, /overlaps with 10\.213\.7\.0\/24/);
    assert.match((await docker(["network", "rm", "bridge"])).err, /pre-defined network/);
    assert.match((await docker(["network", "inspect", "nosuch"])).err, /network nosuch not found/);
  });

  it("publishes ports, and containers of a network find each other by name and alias", async () => {
    const words = ["--network", "one", "--network-alias", "www", "--ip", "10.213.7.9", "-p", "80"];
    await succeed("run", "-d", "--name", "web", ...words, "busybox", "sh", "-c", SERVE, "hello");
    const port = await hostPort("web");
    await serving(port);
    assert.equal(await fetchText(port), "hello\n");
    const format = "{{.NetworkSettings.Networks.one.IPAddress}}";
    assert.equal(await succeed("inspect", "-f", format, "web"), "10.213.7.9\n");
    assert.match(await succeed("ps", "--format", "{{.Ports}}"), /^0\.0\.0\.0:\d+->80\/tcp\n$/);
    const ask = ["run", "--rm", "--network", "one", "busybox", "wget", "-qO-"];
    assert.equal(await succeed(...ask, "http://www/x"), "hello\n");
    assert.equal((await docker(["network", "rm", "one"])).code, 1);
    const members = "{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}";
    assert.equal(await succeed("network", "inspect", "-f", members, "one"), "web 10.213.7.9/24\n");
  });

  it("keeps names and ports of a container whose dvmd was killed, and takes them away at its end", async () => {
    const port = await hostPort("web");
    await dvmd.kill();
    assert.equal(await fetchText(port), "hello\n");
    await dvmd.start();
    const taken = await docker(["run", "--rm", "-p", `${port}:80`, "busybox", "true"]);
    assert.match(taken.err, /already in use/);
    const ask = ["run", "--rm", "--network", "one", "busybox", "wget", "-qO-"];
    assert.equal(await succeed(...ask, "http://web/x"), "hello\n");
    await succeed("stop", "-t", "0", "web");
    await assert.rejects(fetchText(port));
    const addresses = () => execFileSync("ip", ["-4", "-br", "addr"], { encoding: "utf8" });
    // devices go when nobody has come or gone for a moment
    for (let looks = 0; looks < 100 && addresses().includes("10.213.7."); looks++) await delay(100);
    assert.doesNotMatch(addresses(), /10\.213\.7\./);
  });

  it("puts containers into further networks and takes them out, whether they run or not", async () => {
    await succeed("network", "create", "two");
    await succeed("network", "connect", "two", "web");
    await succeed("start", "web");
    await serving(await hostPort("web"));
    const names = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    assert.equal(await succeed("inspect", "-f", names, "web"), "one two \n");
    const ask = ["run", "--rm", "--network", "two", "busybox", "wget", "-qO-"];
    assert.equal(await succeed(...ask, "http://web/x"), "hello\n");
    await succeed("network", "create", "--subnet", "10.213.8.0/24", "three");
    await succeed("network", "connect", "--ip", "10.213.8.5", "--alias", "live", "three", "web");
    assert.equal(await succeed("inspect", "-f", names, "web"), "one three two \n");
    const asked = ["run", "--rm", "--network", "three", "busybox", "wget", "-qO-"];
    assert.equal(await succeed(...asked, "http://live/x"), "hello\n");
    const members = "{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}";
    assert.equal(
      await succeed("network", "inspect", "-f", members, "three"),
      "web 10.213.8.5/24\n",
    );
    // the next dvmd knows what was joined, and takes it away
    await dvmd.kill();
    await dvmd.start();
    await succeed("network", "disconnect", "three", "web");
    assert.equal(await succeed("inspect", "-f", names, "web"), "one two \n");
    assert.equal(await succeed("exec", "web", "sh", "-c", "ls /sys/class/net"), "eth0\neth1\nlo\n");
    await succeed("stop", "-t", "0", "web");
    await succeed("network", "disconnect", "one", "web");
    assert.equal(await succeed("inspect", "-f", names, "web"), "two \n");
    await succeed("rm", "web");
    assert.match(await succeed("network", "prune", "-f"), /one[\s\S]*three[\s\S]*two/);
  });

  it("shares the host's network, as far as a machine can", async () => {
    const serve = SERVE.replace("-p 80", "-p 38080");
    await succeed(
      "run",
      "-d",
      "--name",
      "shared",
      "--network",
      "host",
      "busybox",
      "sh",
      "-c",
      serve,
      "hi",
    );
    await serving(38_080);
    assert.equal(await fetchText(38_080), "hi\n");
    const mode =
      "{{.HostConfig.NetworkMode}} {{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}";
    assert.equal(await succeed("inspect", "-f", mode, "shared"), "host host\n");
    const { err } = await docker(["network", "connect", "one", "shared"]);
    assert.match(err, /network one not found|several networks are supported for bridges only/);
    await succeed("rm", "-f", "shared");
    await assert.rejects(fetchText(38_080));
  });

  it("makes networks with IPv6, whose containers have addresses and names of both families", async () => {
    const subnets = ["--ipv6", "--subnet", "fd00:213::/64", "--subnet", "10.213.9.0/24"];
    await succeed("network", "create", ...subnets, "--gateway", "fd00:213::ff", "six");
    const format = "{{.EnableIPv6}} {{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{end}}";
    assert.equal(
      await succeed("network", "inspect", "-f", format, "six"),
      "true 10.213.9.0/24 10.213.9.1 fd00:213::/64 fd00:213::ff \n",
    );
    const words = ["--network", "six", "--ip6", "fd00:213::9"];
    await succeed("run", "-d", "--name", "web6", ...words, "busybox", "sh", "-c", SERVE, "hello");
    const settings = ".NetworkSettings.Networks.six";
    const addresses = `{{${settings}.GlobalIPv6Address}}/{{${settings}.GlobalIPv6PrefixLen}} {{${settings}.IPv6Gateway}}`;
    assert.equal(
      await succeed("inspect", "-f", addresses, "web6"),
      "fd00:213::9/64 fd00:213::ff\n",
    );
    const members = "{{range .Containers}}{{.IPv6Address}}{{end}}";
    assert.equal(await succeed("network", "inspect", "-f", members, "six"), "fd00:213::9/64\n");
    const ask = ["run", "--rm", "--network", "six", "busybox"];
    assert.match(await succeed(...ask, "nslookup", "-type=AAAA", "web6"), /fd00:213::9/);
    const fetched = await succeed(
      ...ask,
      "sh",
      "-c",
      "ping -6 -c 1 fd00:213::9 && wget -qO- http://web6/x",
    );
    assert.match(fetched, /hello\n$/);
    await succeed("rm", "-f", "web6");
    await succeed("network", "rm", "six");
    const { err } = await docker([
      "network",
      "create",
      "--ipv6",
      "--subnet",
      "fd00:213::/127",
      "six",
    ]);
    assert.match(err, /invalid subnet: fd00:213::\/127/);
  });
});
