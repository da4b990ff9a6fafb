import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkPolicy, readPolicy } from "./card-policy.ts";
import { withoutNetwork } from "./change-networks.ts";

const dns = { servers: [], search: [], options: [] };
const config = (network: string, networking: object) => ({ network, networking, dns });

describe("a container's policy", () => {
  it("is read from its configuration", () => {
    assert.equal(readPolicy({ networking: {} }), undefined);
    assert.deepEqual(readPolicy({ networking: { egress: "deny", rate: "in=1mbit" } }), {
      egress: "deny",
      rate: { in: 1e6 },
    });
    assert.throws(() => readPolicy({ networking: { egress: "x" } }), { code: "NETWORK_INVALID" });
  });

  it("is refused with a network that has no card of the container's own", () => {
    for (const network of ["none", "host", "container:other"]) {
      for (const networking of [{ egress: "deny" }, { rate: "1mbit" }]) {
        assert.throws(() => checkPolicy(config(network, networking)), { code: "CONFIG_INVALID" });
      }
      checkPolicy(config(network, {}));
    }
    for (const network of ["default", "user", "bridge", "mine"]) {
      checkPolicy(config(network, { egress: "public", rate: "1mbit" }));
    }
  });

  it("is refused with name servers that know nothing of it", () => {
    const own = {
      ...config("bridge", { egress: "public" }),
      dns: { ...dns, servers: ["1.1.1.1"] },
    };
    assert.throws(() => checkPolicy(own), { message: /egress and dns/ });
    checkPolicy({ ...own, networking: { rate: "1mbit" } });
  });

  it("stays with a container that leaves its network; its address there does not", () => {
    const networking = { egress: "deny", rate: "1mbit", ip6: "fd00::9", further: ["two"] };
    const left = withoutNetwork({ network: "one", networking } as never, ["one"]) as {
      networking: object;
    };
    assert.deepEqual(left.networking, { egress: "deny", rate: "1mbit", further: [] });
  });
});
