import assert from "node:assert/strict";
import { it } from "node:test";
import { formatSubnet } from "../ipv4.ts";
import { parseRoutes } from "./routes.ts";

/** As Linux 6.1 wrote it: a default route, a network, a host, an unreachable range. */
const TABLE = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
dvm0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t0503000A\t010200C0\t0007\t0\t0\t0\tFFFFFFFF\t0\t0\t0
*\t0000000A\t00000000\t0201\t0\t0\t0\t0000F0FF\t0\t0\t0
`;

it("routes are all destinations but the default one, and those of a device that is left out", () => {
  const networks = ["192.0.2.0/24", "10.0.3.5/32", "10.0.0.0/12"];
  assert.deepEqual(parseRoutes(TABLE, "dvm0").map(formatSubnet), networks);
  assert.equal(parseRoutes(TABLE, "").length, 4);
  assert.deepEqual(parseRoutes("", ""), []);
  assert.deepEqual(parseRoutes("a\nb c\n\tx\ty", ""), []);
});
