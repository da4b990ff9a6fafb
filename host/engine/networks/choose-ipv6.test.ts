import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseSubnet6, type Subnet6 } from "../../network/ipv6.ts";
import { chooseIpv6, type WantedIpv6 } from "./choose-ipv6.ts";

const choose = (wanted: WantedIpv6, used: readonly Subnet6[] = []) =>
  chooseIpv6(wanted, { id: "ab".repeat(32), used });

describe("a network's IPv6 subnet", () => {
  it("is the one asked for, with its first address as the gateway", () => {
    assert.deepEqual(choose({ subnet: "fd00:1::5/64" }), {
      subnet: "fd00:1::/64",
      gateway: "fd00:1::1",
    });
    assert.equal(choose({ subnet: "fd00:1::/64", gateway: "fd00:1::ff" }).gateway, "fd00:1::ff");
  });

  it("is a unique local one of its own otherwise, the same each time", () => {
    const { subnet, gateway } = choose({});
    assert.match(subnet, /^fd[0-9a-f]{2}:[0-9a-f:]+::\/64$/);
    assert.equal(gateway, subnet.replace("::/64", "::1"));
    assert.equal(choose({}).subnet, subnet);
  });

  it("is refused when it is none, or is in use", () => {
    for (const subnet of [
      "10.0.0.0/8",
      "fd00::",
      "fd00::/127",
      "::/64",
      "fe80::/64",
      "ff02::/64",
      "::1/126",
    ]) {
      assert.throws(() => choose({ subnet }), { code: "NETWORK_INVALID" }, subnet);
    }
    for (const gateway of ["fd00:2::1", "fd00:1::", "10.0.0.1"]) {
      assert.throws(() => choose({ subnet: "fd00:1::/64", gateway }), { code: "NETWORK_INVALID" });
    }
    const used = [parseSubnet6("fd00::/16") ?? assert.fail()];
    assert.throws(() => choose({ subnet: "fd00:1::/64" }, used), { code: "SUBNET_OVERLAP" });
  });
});
