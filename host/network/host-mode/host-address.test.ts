import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseAddress } from "./host-address.ts";

const device = (ifname: string, local: string, scope = "global") => ({
  ifname,
  addr_info: [{ family: "inet", local, prefixlen: 24, scope }],
});
const DEVICES = JSON.stringify([
  device("lo", "127.0.0.1", "host"),
  device("br0", "10.88.0.1"),
  device("eth0", "192.0.2.2"),
]);

test("the address is that of the way to the outside, or the first that others can reach", () => {
  const routes = (route: object) => JSON.stringify([{ dst: "10.88.0.0/16", dev: "br0" }, route]);
  const chosen = (route: object) => chooseAddress(routes(route), DEVICES)?.address;
  assert.equal(chosen({ dst: "default", dev: "eth0" }), "192.0.2.2");
  assert.equal(chosen({ dst: "default", dev: "eth0", prefsrc: "10.88.0.1" }), "10.88.0.1");
  assert.equal(chosen({ dst: "192.0.2.0/24", dev: "eth0" }), "10.88.0.1");
  assert.equal(chooseAddress("[]", JSON.stringify([device("lo", "127.0.0.1", "host")])), undefined);
});
