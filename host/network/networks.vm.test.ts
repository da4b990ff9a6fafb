import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { HOST, Lab, OUTSIDE, until } from "./test-lab.ts";

const WEB = "mkdir -p /w; echo guest > /w/index.html; httpd -p 80 -h /w";
const get = (host: string, port = 80) =>
  `(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 1) | nc -w 2 ${host} ${port} 2>&1 | tail -n 1`;
const ping = (address: string) => `ping -c 1 -W 2 ${address} >/dev/null 2>&1; echo $?`;

/** A third host, behind the first. */
class Behind implements Disposable {
  readonly #lab: Lab;
  readonly #name: string;

  constructor(of: Lab) {
    this.#lab = of;
    this.#name = `dvmx${process.pid}`;
    const ip = (words: string) => execFileSync("ip", words.split(" "));
    ip(`netns add ${this.#name}`);
    ip(`-n ${of.host} link add e2 type veth peer name e3 netns ${this.#name}`);
    ip(`-n ${of.host} addr add 192.0.2.1/24 dev e2`);
    ip(`-n ${of.host} link set e2 up`);
    ip(`-n ${this.#name} addr add 192.0.2.2/24 dev e3`);
    ip(`-n ${this.#name} link set e3 up`);
    ip(`-n ${this.#name} route add default via 192.0.2.1`);
    ip(`-n ${of.outside} route add 192.0.2.0/24 via ${HOST}`);
  }

  /** Whether the outside reaches it: its kernel refuses, for nobody listens there (curl(1), exit code 7). */
  isReached(): boolean {
    const words = [
      "netns",
      "exec",
      this.#lab.outside,
      "curl",
      "-s",
      "-m",
      "2",
      "http://192.0.2.2/",
    ];
    return spawnSync("ip", words).status === 7;
  }

  [Symbol.dispose](): void {
    execFileSync("ip", ["netns", "del", this.#name]);
    execFileSync("ip", ["-n", this.#lab.outside, "route", "del", "192.0.2.0/24"]);
  }
}

const lab = new Lab();
after(() => lab[Symbol.asyncDispose]());

describe("--network user", () => {
  it("reaches the outside by TCP, by ping and by name, and is reached by its ports", async () => {
    const box = await lab.container([
      "--network",
      "user",
      "-p",
      "8080:80",
      "-p",
      "127.0.0.1:9000:80",
      "busybox",
      "sh",
    ]);
    assert.match(await box.sh(get(OUTSIDE)), new RegExp(HOST));
    assert.equal(await box.sh(ping(OUTSIDE)), "0\n");
    assert.match(await box.sh("nslookup some.name"), new RegExp(OUTSIDE));
    await box.sh(WEB);
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "guest\n");
    assert.equal(lab.curl(lab.host, "http://127.0.0.1:8080/"), "guest\n");
    assert.equal(lab.curl(lab.host, "http://127.0.0.1:9000/"), "guest\n");
    assert.equal(lab.curl(lab.outside, `http://${HOST}:9000/`), "");
    const second = await lab.dvm([
      "run",
      "--rm",
      "--network",
      "user",
      "-p",
      "8080:80",
      "busybox",
      "true",
    ]);
    assert.match(second.err, /port 0\.0\.0\.0:8080\/tcp is already in use/);
    assert.equal(second.code, 125);
    await box.end();
    await until(() => lab.processes(/passt/).length === 0);
  });

  it("has a machine that goes on from a snapshot answer whoever comes first", async () => {
    const serve = `${WEB}; sleep 600`;
    const words = ["-d", "--vmm", "qemu", "--network", "user", "-p", "8080:80", "--name", "saved"];
    await lab.dvm(["run", ...words, "busybox", "sh", "-c", serve]);
    await until(() => lab.curl(lab.outside, `http://${HOST}:8080/`) === "guest\n");
    assert.equal((await lab.dvm(["snapshot", "create", "saved", "one"])).code, 0);
    await lab.dvm(["rm", "-f", "saved"]);
    const restored = await lab.dvm(["snapshot", "restore", "--name", "other", "one"]);
    assert.equal(restored.code, 0, restored.err);
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "guest\n");
    await lab.dvm(["rm", "-f", "other"]);
  });

  it("keeps the host's loopback services to the host", async () => {
    const box = await lab.container(["--network", "user", "-p", "8080:80", "busybox", "sh"]);
    await box.sh(WEB);
    for (const address of ["10.0.2.2", "127.0.0.1"]) {
      assert.notEqual((await box.sh(get(address, 8080))).trim(), "guest");
    }
    await box.end();
  });
});

describe("--network bridge", () => {
  it("reaches the outside and is reached by its ports, by whose source it sees; nothing stays", async () => {
    const box = await lab.container([
      "--network",
      "bridge",
      "-p",
      "8080:80",
      "-p",
      "127.0.0.1:9000:80",
      "busybox",
      "sh",
    ]);
    assert.match(await box.sh(get(OUTSIDE)), new RegExp(HOST));
    assert.match(await box.sh("nslookup some.name"), new RegExp(OUTSIDE));
    await box.sh(WEB);
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "guest\n");
    await box.sh(
      "mkdir /w/cgi-bin; printf '#!/bin/sh\\necho; echo $REMOTE_ADDR\\n' > /w/cgi-bin/who; chmod +x /w/cgi-bin/who",
    );
    assert.match(lab.curl(lab.outside, `http://${HOST}:8080/cgi-bin/who`), new RegExp(OUTSIDE));
    assert.equal(lab.curl(lab.host, "http://127.0.0.1:8080/"), "guest\n");
    assert.equal(lab.curl(lab.host, "http://127.0.0.1:9000/"), "guest\n");
    assert.equal(lab.curl(lab.host, `http://${HOST}:8080/`), "guest\n");
    assert.equal(lab.curl(lab.outside, `http://${HOST}:9000/`), "");
    // by its own port on the host
    assert.equal(await box.sh(get(HOST, 8080)), "guest\n");
    await box.end();
    assert.deepEqual(await lab.leftovers(), []);
    await until(() => lab.inHostSync(["cat", "/proc/sys/net/ipv4/ip_forward"]) === "0\n");
  });

  it("leaves the host's own rules alone", async () => {
    lab.inHostSync(["nft", "add", "table", "inet", "others"]);
    lab.inHostSync(["nft", "add", "chain", "inet", "others", "mine"]);
    const before = lab.inHostSync(["nft", "list", "ruleset"]);
    await lab.dvm(["run", "--rm", "--network", "bridge", "busybox", "true"]);
    assert.deepEqual(await lab.leftovers(), []);
    assert.equal(lab.inHostSync(["nft", "list", "ruleset"]), before);
    lab.inHostSync(["nft", "delete", "table", "inet", "others"]);
  });

  it("is swept after a crash", async () => {
    const box = await lab.container(["--network", "bridge", "-p", "8080:80", "busybox", "sh"]);
    // the command line first, which would start another daemon
    const ours = lab.processes(/main\.ts|dvm\.[cm]js|dvmd|qemu-system/);
    for (const pid of ours) process.kill(pid, "SIGKILL");
    await box.end();
    assert.notDeepEqual(lab.traces(), []);
    await lab.dvm(["ps"]);
    assert.deepEqual(await lab.leftovers(), []);
  });
  it("forwards for nobody else where the host did not, and leaves a host that does alone", async () => {
    using behind = new Behind(lab);
    lab.inHostSync(["sysctl", "-qw", "net.ipv4.ip_forward=0"]);
    const forwards = () => lab.inHostSync(["cat", "/proc/sys/net/ipv4/ip_forward"]) === "1\n";
    const run = () => lab.container(["--network", "bridge", "busybox", "sh"]);
    const first = await run();
    assert.equal(await first.sh(ping(OUTSIDE)), "0\n");
    assert.equal(forwards(), true);
    assert.equal(behind.isReached(), false);
    await first.end();
    await until(() => !forwards());

    lab.inHostSync(["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    assert.equal(behind.isReached(), true);
    const second = await run();
    assert.equal(await second.sh(ping(OUTSIDE)), "0\n");
    assert.equal(behind.isReached(), true);
    await second.end();
    assert.deepEqual(await lab.leftovers(), []);
    assert.equal(forwards(), true);
    lab.inHostSync(["sysctl", "-qw", "net.ipv4.ip_forward=0"]);
  });

  it("leaves nothing when its data root is deleted while it runs", async () => {
    const words = ["--name", "lost", "--network", "bridge", "-p", "8080:80", "--egress", "public"];
    const { code, err } = await lab.dvm(["run", "-d", ...words, "busybox", "sleep", "600"]);
    assert.equal(code, 0, err);
    rmSync(join(lab.folder, "data"), { recursive: true, force: true });
    for (const pid of lab.processes(/dvmd/)) process.kill(pid, "SIGKILL");
    assert.notDeepEqual(lab.traces(), []);
    assert.doesNotMatch((await lab.dvm(["ps", "-a"])).out, /lost/);
    assert.deepEqual(await lab.leftovers(), []);
    await until(() => lab.processes(/qemu-system/).length === 0);
  });
});

describe("networks of one's own", () => {
  it("name their containers, keep others out, and give the addresses asked for", async () => {
    for (const words of [
      ["blue"],
      ["--subnet", "10.9.0.0/29", "red"],
      ["--internal", "--subnet", "10.9.1.0/24", "inner"],
    ]) {
      assert.equal((await lab.dvm(["network", "create", ...words])).code, 0);
    }
    const [web, asker] = await Promise.all([
      lab.container([
        "--network",
        "red",
        "--network",
        "inner",
        "--name",
        "web",
        "--network-alias",
        "www",
        "--ip",
        "10.9.0.5",
        "busybox",
        "sh",
      ]),
      lab.container(["--network", "inner", "busybox", "sh"]),
    ]);
    assert.match(await web.sh("ip -4 addr show eth0"), /10\.9\.0\.5\/29/);
    await web.sh(WEB);
    assert.match(await asker.sh("nslookup www"), /10\.9\.1\.\d+/);
    assert.match(await asker.sh("nslookup web.inner"), /10\.9\.1\.\d+/);
    assert.notEqual(await asker.sh(ping(OUTSIDE)), "0\n");
    assert.notEqual(await asker.sh(ping("10.9.0.5")), "0\n");
    assert.equal(await web.sh(ping(OUTSIDE)), "0\n");
    const taken = await lab.dvm([
      "run",
      "--rm",
      "--network",
      "red",
      "--ip",
      "10.9.0.5",
      "busybox",
      "true",
    ]);
    assert.match(taken.err, /address 10\.9\.0\.5 is in use/);
    const busy = await lab.dvm(["network", "rm", "red"]);
    assert.match(busy.err, /network red has 1 active endpoints/);
    const other = await lab.container(["--network", "blue", "busybox", "sh"]);
    assert.notEqual(await other.sh(ping("10.9.0.5")), "0\n");
    assert.doesNotMatch(await other.sh("nslookup web"), /10\.9/);
    await Promise.all([web.end(), asker.end(), other.end()]);
    assert.deepEqual(await lab.leftovers(), []);
    assert.equal((await lab.dvm(["network", "rm", "blue", "red", "inner"])).code, 0);
  });
});

describe("a guest that lies", () => {
  it("gets nowhere with another's address, MAC or ARP, or by IPv6", async () => {
    const caps = ["--network", "bridge", "--cap-add", "NET_ADMIN", "--cap-add", "NET_RAW"];
    const [victim, liar] = await Promise.all([
      lab.container([...caps, "debian", "sh"]),
      lab.container([...caps, "busybox", "sh"]),
    ]);
    const victimAddress = (await victim.sh("hostname -I")).trim().split(" ")[0] ?? "";
    const gateway = victimAddress.replace(/\.\d+$/, ".1");
    assert.equal(await liar.sh(ping(victimAddress)), "0\n");
    const neighbours = () => lab.inHostSync(["ip", "neigh", "show", victimAddress]);
    // asks for its hardware address, whether or not somebody listens
    lab.curl(lab.host, `http://${victimAddress}/`);
    const before = /lladdr \S+/.exec(neighbours())?.[0];
    // another's address in ARP, unasked
    await liar.sh(`arping -c 2 -U -I eth0 -s ${victimAddress} ${gateway}`);
    assert.equal(/lladdr \S+/.exec(neighbours())?.[0], before);
    // a foreign IP address
    const foreign = victimAddress.replace(/\.\d+$/, ".77");
    await liar.sh(`ip addr add ${foreign}/16 dev eth0`);
    assert.notEqual(
      await liar.sh(`ping -I ${foreign} -c 1 -W 2 ${gateway} >/dev/null 2>&1; echo $?`),
      "0\n",
    );
    // the host is still there for the liar's own address, once it has given up asking as another
    assert.equal(await liar.sh(`ping -c 8 -W 1 ${gateway} >/dev/null 2>&1; echo $?`), "0\n");
    // IPv6, which this network does not have
    const [, digits = ""] =
      /^(fe80[0-9a-f]{28}) .* eth0$/m.exec(await victim.sh("cat /proc/net/if_inet6")) ?? [];
    const linkLocal = digits.match(/.{4}/g)?.join(":");
    assert.equal(linkLocal?.length, 39);
    assert.notEqual(
      await liar.sh(`ping -6 -c 1 -W 2 -I eth0 ${linkLocal} >/dev/null 2>&1; echo $?`),
      "0\n",
    );
    // a foreign MAC address
    await liar.sh(
      "ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:99; ip link set eth0 up",
    );
    assert.notEqual(await liar.sh(ping(gateway)), "0\n");
    await Promise.all([victim.end(), liar.end()]);
  });

  it("does not answer as a DHCP server", async () => {
    const [victim, liar] = await Promise.all([
      lab.container(["--network", "bridge", "debian", "sh"]),
      lab.container(["--network", "bridge", "debian", "sh"]),
    ]);
    const address = (await victim.sh("hostname -I")).trim();
    const receive = `$s = IO::Socket::INET->new(Proto => "udp", LocalPort => 68); syswrite(STDOUT, "ready\\n"); while ($s->recv($b, 99)) { syswrite(STDOUT, "$b\\n"); last if $b eq "end" }`;
    await victim.sh(
      `perl -MIO::Socket -e '${receive}' > /tmp/got & until grep -q ready /tmp/got; do sleep 0.1; done`,
    );
    const send = (port: number, text: string) =>
      liar.sh(
        `perl -MIO::Socket -e 'IO::Socket::INET->new(Proto => "udp", LocalPort => ${port}, PeerAddr => "${address}:68")->send("${text}")'`,
      );
    await send(1067, "before");
    await send(67, "lie");
    await send(1067, "end");
    assert.equal(await victim.sh("wait; cat /tmp/got"), "ready\nbefore\nend\n");
    await Promise.all([victim.end(), liar.end()]);
  });
});
