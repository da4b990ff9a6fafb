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

describe("the rules of bridges", () => {
  it("are no more than the removal of the tables when nobody is left", () => {
    assert.equal(
      rules({ endpoints: [], onlyOurs: false }),
      "table inet dvm\ndelete table inet dvm\ntable bridge dvm\ndelete table bridge dvm\n",
    );
  });

  it("name each port, each card, and nobody else's address", () => {
    const text = rules({ endpoints: [ENDPOINT], onlyOurs: false });
    assert.match(text, /map tcp_any .*8080 : 10\.9\.0\.2 \. 80/);
    assert.match(text, /map udp_at .*127\.0\.0\.1 \. 53 : 10\.9\.0\.2 \. 53/);
    assert.match(text, /set owners .*"dvt-0" \. 02:64:0a:09:00:02 \. 10\.9\.0\.2/);
    assert.match(text, /ip saddr 10\.9\.0\.0\/24 oifname != "dvb-0" masquerade/);
  });

  it("do not masquerade an internal network, and drop the rest when forwarding is dvm's own", () => {
    const internal = { ...ENDPOINT, network: { ...NETWORK, internal: true } };
    const text = rules({ endpoints: [internal], onlyOurs: true });
    assert.doesNotMatch(text, /oifname != "dvb-0" masquerade/);
    assert.match(text, /nobody else\n {4}drop/);
  });

  it("are taken by nft", { skip: process.getuid?.() !== 0 }, () => {
    const input = rules({ endpoints: [ENDPOINT], onlyOurs: true });
    // checked in a network namespace that ends with the call
    execFileSync("unshare", ["-n", "nft", "--check", "-f", "-"], { input });
  });
});
