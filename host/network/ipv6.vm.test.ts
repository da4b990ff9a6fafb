import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { HOST, HOST6, Lab, OUTSIDE, OUTSIDE6, until } from "./test-lab.ts";

const WEB = "mkdir -p /w; echo guest > /w/index.html; httpd -p '[::]:80' -h /w";
const get = (host: string, port = 80) =>
  `(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 1) | nc -w 2 ${host} ${port} 2>/dev/null | tail -n 1`;
const ping = (address: string) => `ping -c 1 -W 2 ${address} >/dev/null 2>&1; echo $?`;

const lab = new Lab();
after(() => lab[Symbol.asyncDispose]());

describe("a network with IPv6", () => {
  it("reaches the outside by both families, is reached by its ports, and leaves nothing", async () => {
    const words = ["--ipv6", "--subnet", "fd00:9::/64", "--subnet", "10.9.0.0/24", "both"];
    assert.equal((await lab.dvm(["network", "create", ...words])).code, 0);
    const box = await lab.container([
      ...["--network", "both", "--ip6", "fd00:9::99", "-p", "8080:80", "-p", `[${HOST6}]:9000:80`],
      ...["busybox", "sh"],
    ]);
    assert.match(await box.sh("ip -6 addr show eth0"), /fd00:9::99\/64/);
    assert.equal(await box.sh(ping(OUTSIDE6)), "0\n");
    assert.match(await box.sh(get(OUTSIDE6)), new RegExp(HOST6));
    assert.match(await box.sh(get(OUTSIDE)), new RegExp(HOST));
    await box.sh(WEB);
    assert.equal(lab.curl(lab.outside, `http://[${HOST6}]:8080/`), "guest\n");
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "guest\n");
    assert.equal(lab.curl(lab.outside, `http://[${HOST6}]:9000/`), "guest\n");
    assert.equal(lab.curl(lab.outside, `http://${HOST}:9000/`), "");
    assert.equal(lab.curl(lab.host, `http://[${HOST6}]:8080/`), "guest\n");
    assert.equal(lab.curl(lab.host, "http://[fd00:9::99]/"), "guest\n");
    // by its own port on the host
    assert.equal(await box.sh(get(HOST6, 8080)), "guest\n");
    // from outside by nothing else
    lab.inOutsideSync(["ip", "route", "add", "fd00:9::/64", "via", HOST6]);
    assert.equal(lab.curl(lab.outside, "http://[fd00:9::99]/"), "");
    const seen = await lab.dvm([...["ps", "-q", "--no-trunc", "--format", "{{.Ports}}"]]);
    assert.match(seen.out, /0\.0\.0\.0:8080->80\/tcp.*\[::\]:8080->80\/tcp/);
    await box.end();
    assert.deepEqual(await lab.leftovers(), []);
    const setting = (name: string) =>
      lab.inHostSync(["cat", `/proc/sys/net/ipv6/conf/${name}`]).trim();
    await until(() => setting("all/forwarding") === "0" && setting("e0/accept_ra") === "1");
  });

  it("names its containers by AAAA, holds them to their addresses, and lets none be a router", async () => {
    assert.equal((await lab.dvm(["network", "create", "--ipv6", "six"])).code, 0);
    const caps = ["--network", "six", "--cap-add", "NET_ADMIN", "--cap-add", "NET_RAW"];
    const [web, liar] = await Promise.all([
      lab.container([...caps, "--name", "web6", "busybox", "sh"]),
      lab.container([...caps, "--sysctl", "net.ipv6.conf.all.forwarding=1", "debian", "sh"]),
    ]);
    await web.sh(WEB);
    const address = /inet6 (fd\S+)\/64/.exec(await web.sh("ip -6 addr show eth0"))?.[1] ?? "";
    assert.match(await web.sh("nslookup -type=AAAA web6"), new RegExp(address));
    assert.match(await web.sh(`nslookup ${address}`), /web6\.six/);
    const [, liarAddress = ""] = /(fd[0-9a-f:]+)/.exec(await liar.sh("hostname -I")) ?? [];
    assert.equal(await web.sh(ping(liarAddress)), "0\n");
    // a router advertisement, by hand: ICMPv6 type 134 to all nodes, from its own link-local address
    const routes = () => web.sh("ip -6 route; ip -6 addr show eth0");
    // until duplicate address detection is over (RFC 4862 §5.4), an address is told of otherwise
    await web.sh("while ip -6 addr show | grep -q tentative; do sleep 0.2; done");
    const before = await routes();
    assert.equal(await liar.sh(`perl -e '${ADVERTISE}' 2>&1; sleep 2`), "");
    assert.equal(await routes(), before);
    assert.doesNotMatch(await routes(), /2001:db8:bad/);
    // another's address
    await web.sh(`ip -6 addr add ${address.replace(/[0-9a-f]+$/, "77")}/64 dev eth0`);
    const foreign = address.replace(/[0-9a-f]+$/, "77");
    assert.notEqual(
      await web.sh(`ping -6 -I ${foreign} -c 1 -W 2 ${liarAddress} >/dev/null 2>&1; echo $?`),
      "0\n",
    );
    await Promise.all([web.end(), liar.end()]);
    assert.equal((await lab.dvm(["network", "rm", "six", "both"])).code, 0);
  });

  it("is held to a policy in both families", async () => {
    const box = await lab.container([
      ...["--network", await network(), "--egress", "allow=www.test:80", "busybox", "sh"],
    ]);
    assert.equal((await box.sh(get(OUTSIDE6))).trim(), "");
    assert.match(await box.sh("nslookup -type=AAAA www.test"), new RegExp(OUTSIDE6));
    assert.match(await box.sh(get(OUTSIDE6)), new RegExp(HOST6));
    assert.notEqual(await box.sh(ping(OUTSIDE6)), "0\n");
    assert.equal((await box.sh(get(HOST6))).trim(), "");
    await box.end();
  });

  it("is refused with what makes no sense", async () => {
    for (const [words, message] of [
      [["--ipv6", "--subnet", "fe80::/64", "x"], /invalid subnet: fe80::\/64/],
      [["--ipv6", "--subnet", "fd00::/127", "x"], /invalid subnet/],
      [["--ipv6", "--subnet", "2001:db8:100::/48", "x"], /overlaps with 2001:db8:100::\/64/],
      [["--subnet", "fd00:7::/64", "x"], /IPv6 subnet without EnableIPv6/],
      [
        ["--ipv6", "--subnet", "fd00:7::/64", "--subnet", "fd00:8::/64", "x"],
        /more than one subnet/,
      ],
    ] as const) {
      const { code, err } = await lab.dvm(["network", "create", ...words]);
      assert.match(err, message);
      assert.notEqual(code, 0);
    }
    const plain = ["run", "--rm", "--network", "bridge"];
    const port = await lab.dvm([...plain, "-p", "[::1]:80:80", "busybox", "true"]);
    assert.match(port.err, /port \[::1\]:80: the container has no IPv6 address/);
    const ip6 = await lab.dvm([...plain, "--ip6", "fd00::1", "busybox", "true"]);
    assert.match(ip6.err, /specified IP address is supported for user-defined networks only/);
  });
});

async function network(): Promise<string> {
  assert.equal((await lab.dvm(["network", "create", "--ipv6", "policed"])).code, 0);
  return "policed";
}

/** Sends a router advertisement with the prefix 2001:db8:bad::/64 on a raw socket; the kernel makes the checksum. */
const ADVERTISE = [
  "use Socket qw(:all);",
  'socket(my $s, 10, SOCK_RAW, 58) or die "socket $!";',
  'setsockopt($s, 41, 18, pack("i", 255));',
  'open(my $f, "<", "/sys/class/net/eth0/ifindex"); my $if = int(<$f>); setsockopt($s, 41, 17, pack("i", $if));',
  'my $ra = pack("CCnCCnNN", 134, 0, 0, 64, 0, 1800, 0, 0)',
  ' . pack("CCCCNNN", 3, 4, 64, 0xc0, 3600, 3600, 0) . pack("H*", "20010db80bad00000000000000000000");',
  'send($s, $ra, 0, pack("SnNa16L", 10, 0, 0, inet_pton(10, "ff02::1"), $if)) or die "send $!";',
].join(" ");
