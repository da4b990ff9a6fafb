import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DvmError } from "../../errors.ts";
import { isGuarded, isPublic } from "./address-classes.ts";
import { entriesOf, parseEgress } from "./egress-policy.ts";

describe("an egress policy", () => {
  it("is nothing, the public Internet, or a list", () => {
    assert.deepEqual(parseEgress("deny"), { public: false, names: [], ranges: [] });
    assert.deepEqual(parseEgress("public"), { public: true, names: [], ranges: [] });
    assert.deepEqual(
      parseEgress(
        "allow=Example.org:443,*.b.org,10.1.2.3/16:80,10.0.0.1,[fd00::1]:8080,fd00::/8,public",
      ),
      {
        public: true,
        names: [{ name: "example.org", port: 443 }, { name: "*.b.org" }],
        ranges: [
          { family: 4, range: "10.1.0.0/16", port: 80 },
          { family: 4, range: "10.0.0.1/32" },
          { family: 6, range: "fd00::1/128", port: 8080 },
          { family: 6, range: "fd00::/8" },
        ],
      },
    );
  });

  it("refuses what is none, naming it", () => {
    for (const text of [
      "",
      "all",
      "allow=",
      "allow=a,,b",
      "allow=10.0.0.0/33",
      "allow=10.0.0.256",
      "allow=fd00::/129",
      "allow=a.b:0",
      "allow=a.b:65536",
      "allow=a.b:x",
      "allow=http://a.b",
      "allow=a b",
      "allow=-a.b",
      "allow=*",
      "allow=a.*.b",
      `allow=${"a,".repeat(256)}a`,
    ]) {
      assert.throws(() => parseEgress(text), { code: "NETWORK_INVALID" }, text);
    }
  });

  it("throws nothing but a refusal at any text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseEgress(`allow=${text}`);
        } catch (error) {
          assert.ok(error instanceof DvmError);
        }
      }),
    );
  });

  it("fits names whole, and those below a star", () => {
    const policy = parseEgress("allow=a.org,*.b.org:80");
    const fits = (name: string) => entriesOf(policy, name).length > 0;
    assert.deepEqual(["a.org", "x.b.org", "y.x.b.org"].map(fits), [true, true, true]);
    assert.deepEqual(["x.a.org", "b.org", "xb.org", "a.org.evil"].map(fits), Array(4).fill(false));
  });
});

describe("addresses", () => {
  it("are public or not", () => {
    for (const address of ["1.1.1.1", "198.51.100.2", "172.32.0.1", "2606:4700::1111"]) {
      assert.ok(isPublic(address), address);
    }
    for (const address of [
      ...["0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.255.255"],
      ...["192.168.1.1", "224.0.0.1", "255.255.255.255", "168.63.129.16", "192.0.0.192"],
      ...["::", "::1", "::ffff:1.1.1.1", "fe80::1", "fd00:ec2::254", "ff02::1", "64:ff9b::a00:1"],
      ...["2002:a00:1::", "4000::1", "nonsense"],
    ]) {
      assert.ok(!isPublic(address), address);
    }
  });

  it("are meant by a range that lies in a guarded one, and by no wider one", () => {
    assert.ok(isGuarded("169.254.169.254"));
    assert.ok(isGuarded("169.254.0.0/16"));
    assert.ok(isGuarded("fe80::1/128"));
    assert.ok(!isGuarded("0.0.0.0/0"));
    assert.ok(!isGuarded("168.63.129.0/24"));
  });
});
