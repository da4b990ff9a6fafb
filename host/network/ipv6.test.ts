import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  contains6,
  formatIpv6,
  formatSubnet6,
  linkLocalOf,
  overlap6,
  parseIpv6,
  parseSubnet6,
} from "./ipv6.ts";

const subnet = (text: string) => parseSubnet6(text) ?? assert.fail(text);

describe("IPv6 addresses", () => {
  it("are written as RFC 5952 has them", () => {
    for (const [text, wanted] of [
      ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
      ["::", "::"],
      ["::1", "::1"],
      ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
      ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
      ["::ffff:10.0.0.1", "::ffff:a00:1"],
      ["fe80::", "fe80::"],
    ] as const) {
      assert.equal(formatIpv6(parseIpv6(text) ?? -1n), wanted);
    }
  });

  it("come back from their text", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (address) => {
        const text = formatIpv6(address);
        assert.ok(isIPv6(text), text);
        assert.equal(parseIpv6(text), address);
      }),
    );
  });

  it("are told from what is none", () => {
    for (const text of ["", "1::2::3", "10.0.0.1", "fe80::1%eth0", "g::", "1:2"]) {
      assert.equal(parseIpv6(text), undefined, text);
    }
    for (const text of ["fd00::", "fd00::/129", "fd00::/", "fd00::/1/2", "10.0.0.0/8"]) {
      assert.equal(parseSubnet6(text), undefined, text);
    }
  });

  it("lie in subnets that lose the bits beyond their prefix", () => {
    assert.equal(formatSubnet6(subnet("fd00:1::5/64")), "fd00:1::/64");
    assert.ok(contains6(subnet("fd00::/64"), parseIpv6("fd00::ffff") ?? -1n));
    assert.ok(!contains6(subnet("fd00::/64"), parseIpv6("fd00:0:0:1::") ?? -1n));
    assert.ok(overlap6(subnet("fd00::/16"), subnet("fd00:5::/64")));
    assert.ok(!overlap6(subnet("fd00::/64"), subnet("fd00:0:0:1::/64")));
  });

  it("are made of a card's MAC address", () => {
    assert.equal(linkLocalOf("02:64:0a:09:00:02"), "fe80::64:aff:fe09:2");
  });
});
