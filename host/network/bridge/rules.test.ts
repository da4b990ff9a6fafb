import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { parseSubnet } from "../ipv4.ts";
import type { BridgeNetwork } from "./bridge-network.ts";
import { ENDPOINT_VERSION, type Endpoint } from "./endpoint.ts";
import { rules } from "./rules.ts";

const NETWORK: BridgeNetwork = {
  id: "0".repeat(64),
  name: "one",
  bridge: "dvb-0",
  subnet: parseSubnet("10.9.0.0/24") ?? { base: 0, prefix: 24 },
  gateway: 0x0a09_0001,
  internal: false,
};
const ENDPOINT: Endpoint = {
  version: ENDPOINT_VERSION,
  container: "c",
  network: NETWORK,
  runDirectory: "/run/c",
  tap: "dvt-0",
  mac: "02:64:0a:09:00:02",
  address: "10.9.0.2",
  names: ["c"],
  ports: [
    { hostIp: "0.0.0.0", hostPort: 8080, containerPort: 80, protocol: "tcp" },
    { hostIp: "127.0.0.1", hostPort: 53, containerPort: 53, protocol: "udp" },
  ],
};

const ENDPOINT6: Endpoint = {
  ...ENDPOINT,
  network: { ...NETWORK, ipv6: { subnet: "fd00:9::/64", gateway: "fd00:9::1" } },
  address6: "fd00:9::2",
  ports: [
    ...ENDPOINT.ports,
    { hostIp: "::", hostPort: 8080, containerPort: 80, protocol: "tcp" },
    { hostIp: "::1", hostPort: 53, containerPort: 53, protocol: "udp" },
  ],
};

describe("the rules of bridges", () => {
  it("are no more than the removal of the tables when nobody is left", () => {
    assert.equal(
      rules({ endpoints: [], onlyOurs: false, onlyOurs6: false }),
      "table inet dvm\ndelete table inet dvm\ntable bridge dvm\ndelete table bridge dvm\n",
    );
  });

  it("name each port, each card, and nobody else's address", () => {
    const text = rules({ endpoints: [ENDPOINT], onlyOurs: false, onlyOurs6: false });
    assert.match(text, /map tcp_any .*8080 : 10\.9\.0\.2 \. 80/);
    assert.match(text, /map udp_at .*127\.0\.0\.1 \. 53 : 10\.9\.0\.2 \. 53/);
    assert.match(text, /set owners .*"dvt-0" \. 02:64:0a:09:00:02 \. 10\.9\.0\.2/);
    assert.match(text, /ip saddr 10\.9\.0\.0\/24 oifname != "dvb-0" masquerade/);
  });

  it("do not masquerade an internal network, and drop the rest when forwarding is dvm's own", () => {
    const internal = { ...ENDPOINT, network: { ...NETWORK, internal: true } };
    const text = rules({ endpoints: [internal], onlyOurs: true, onlyOurs6: true });
    assert.doesNotMatch(text, /oifname != "dvb-0" masquerade/);
    const routed = "meta mark and 0x400000 == 0 drop\n";
    assert.ok(text.includes(`    meta nfproto ipv4 ${routed}    meta nfproto ipv6 ${routed}`));
  });

  it("pass over what crosses a bridge, and mark it only where something is dropped", () => {
    const dropping = rules({ endpoints: [ENDPOINT], onlyOurs: false, onlyOurs6: true });
    assert.match(dropping, /chain crossing \{\n.* priority -300;.*\n.* mark or 0x400000\n/);
    assert.match(dropping, /chain crossed \{\n.* priority 300;.*\n.* mark and 0xffbfffff\n/);
    const open = rules({ endpoints: [ENDPOINT], onlyOurs: false, onlyOurs6: false });
    assert.doesNotMatch(open, /mark/);
  });

  it("publish on both families, and hold a guest to its IPv6 addresses", () => {
    const text = rules({ endpoints: [ENDPOINT6], onlyOurs: false, onlyOurs6: true });
    assert.match(text, /map tcp6_any .*8080 : fd00:9::2 \. 80/);
    assert.match(text, /map tcp_any .*8080 : 10\.9\.0\.2 \. 80/);
    assert.match(text, /set owners6 .*fd00:9::2, .*fe80::64:aff:fe09:2/);
    assert.match(text, /ip6 saddr fd00:9::\/64 oifname != "dvb-0" masquerade/);
    assert.doesNotMatch(text, /nfproto ipv4/);
  });

  it("are taken by nft", { skip: process.getuid?.() !== 0 }, () => {
    for (const endpoint of [ENDPOINT, ENDPOINT6]) {
      const input = rules({ endpoints: [endpoint], onlyOurs: true, onlyOurs6: true });
      // checked in a network namespace that ends with the call
      execFileSync("unshare", ["-n", "nft", "--check", "-f", "-"], { input });
    }
  });
});
