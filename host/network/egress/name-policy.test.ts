import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseEgress } from "./egress-policy.ts";
import { admitsName, sortAddresses } from "./name-policy.ts";

const named = (name: string, addresses: readonly string[], isOwn = false, lifetime = 60) => ({
  name,
  addresses: addresses.map((address) => ({ address, lifetime })),
  isOwn,
});

describe("a policy's names", () => {
  it("may be asked for when they are in the list, and all of them with public", () => {
    assert.ok(admitsName(parseEgress("allow=a.test"), "a.test"));
    assert.ok(!admitsName(parseEgress("allow=a.test,10.0.0.0/8"), "b.test"));
    assert.ok(!admitsName(parseEgress("deny"), "a.test"));
    assert.ok(admitsName(parseEgress("public"), "a.test"));
  });

  it("are pinned at their ports, for no less and no more than makes sense", () => {
    const policy = parseEgress("allow=a.test:80,a.test:443,*.test");
    const { pins } = sortAddresses(policy, named("a.test", ["1.1.1.1"], false, 0));
    assert.deepEqual(pins, [
      { address: "1.1.1.1", port: 80, lifetime: 10 },
      { address: "1.1.1.1", port: 443, lifetime: 10 },
      { address: "1.1.1.1", lifetime: 10 },
    ]);
    const [pin] = sortAddresses(policy, named("b.test", ["1.1.1.1"], false, 1e6)).pins;
    assert.equal(pin?.lifetime, 3600);
  });

  it("stand for no address that is not public, but for containers' and those of the list", () => {
    const policy = parseEgress("allow=a.test,web,10.1.0.0/16");
    const outside = sortAddresses(
      policy,
      named("a.test", ["10.1.0.1", "10.2.0.1", "fd00::1", "1.1.1.1"]),
    );
    assert.deepEqual(
      outside.pins.map(({ address }) => address),
      ["1.1.1.1"],
    );
    assert.deepEqual(outside.refused, ["10.2.0.1", "fd00::1"]);
    const own = sortAddresses(policy, named("web", ["172.18.0.2"], true));
    assert.equal(own.pins.length, 1);
    assert.deepEqual(sortAddresses(policy, named("other", ["1.1.1.1"])), { pins: [], refused: [] });
  });
});
