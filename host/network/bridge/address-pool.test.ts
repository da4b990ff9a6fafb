import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatIpv4, formatSubnet, overlap, parseIpv4, parseSubnet, type Subnet } from "../ipv4.ts";
import { chooseAddress, chooseAddress6, chooseSubnet, subnetPool } from "./address-pool.ts";
import type { BridgeNetwork } from "./bridge-network.ts";

const subnet = { base: 0x0a09_0000, prefix: 29 };
const network: BridgeNetwork = {
  id: "1",
  name: "small",
  bridge: "dvb-1",
  subnet,
  gateway: subnet.base + 1,
  internal: false,
};

describe("addresses", () => {
  it("are the lowest free one, never the gateway's nor the network's own", () => {
    const taken = new Set<string>();
    for (const expected of ["10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6"]) {
      const address = chooseAddress({ network, taken });
      assert.equal(address, expected);
      taken.add(address);
    }
    assert.throws(() => chooseAddress({ network, taken }), { code: "POOL_EXHAUSTED" });
  });

  for (const wanted of ["10.9.0.0", "10.9.0.1", "10.9.0.7", "10.9.0.8", "x"]) {
    it(`refuse ${wanted} in ${formatSubnet(subnet)}`, () => {
      assert.throws(() => chooseAddress({ network, taken: new Set(), wanted }), {
        code: "NETWORK_INVALID",
      });
    });
  }

  it("refuse one that another has", () => {
    const taken = new Set(["10.9.0.3"]);
    assert.throws(() => chooseAddress({ network, taken, wanted: "10.9.0.3" }), {
      code: "ADDRESS_IN_USE",
    });
  });

  it("are read as they are written", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (address) => {
        assert.equal(parseIpv4(formatIpv4(address)), address);
      }),
    );
    for (const text of ["1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", ""]) {
      assert.equal(parseIpv4(text), undefined);
    }
    assert.equal(parseSubnet("10.0.0.0/33"), undefined);
    assert.deepEqual(parseSubnet("10.1.2.3/8"), { base: 0x0a00_0000, prefix: 8 });
  });
});

describe("IPv6 addresses", () => {
  const ipv6 = { subnet: "fd00::/126", gateway: "fd00::1" };
  const six = { ...network, ipv6 };
  it("are the lowest free one, never the gateway's nor the subnet's first", () => {
    const taken = new Set<string>();
    for (const expected of ["fd00::2", "fd00::3"]) {
      assert.equal(chooseAddress6({ network: six, taken }), expected);
      taken.add(expected);
    }
    assert.throws(() => chooseAddress6({ network: six, taken }), { code: "POOL_EXHAUSTED" });
  });

  it("are the one asked for, however it is written, if it can be had", () => {
    const ask = (wanted: string, taken: readonly string[] = []) =>
      chooseAddress6({ network: six, taken: new Set(taken), wanted });
    assert.equal(ask("FD00:0::3"), "fd00::3");
    for (const wanted of ["fd00::", "fd00::1", "fd00::4", "10.0.0.1", "x"]) {
      assert.throws(() => ask(wanted), { code: "NETWORK_INVALID" }, wanted);
    }
    assert.throws(() => ask("fd00::0003", ["fd00::3"]), { code: "ADDRESS_IN_USE" });
  });

  it("are none in a network without them", () => {
    assert.equal(chooseAddress6({ network, taken: new Set() }), undefined);
    const wanted = "fd00::3";
    assert.throws(() => chooseAddress6({ network, taken: new Set(), wanted }), {
      code: "NETWORK_INVALID",
    });
  });
});

describe("subnets", () => {
  it("are chosen clear of all that are in use until none is left", () => {
    const used: Subnet[] = [];
    for (const _ of subnetPool()) {
      const chosen = chooseSubnet(used);
      assert.ok(!used.some((other) => overlap(chosen, other)));
      used.push(chosen);
    }
    assert.throws(() => chooseSubnet(used), { code: "POOL_EXHAUSTED" });
  });
});
