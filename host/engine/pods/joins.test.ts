import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkJoins, isJoined, joinsOf, resolveJoins } from "./joins.ts";

const plain = {
  network: "container:web",
  extraHosts: [],
  dns: { servers: [], search: [], options: [] },
};

describe("joinsOf", () => {
  it("tells by namespace whose it is", () => {
    const config = { network: "container:a", pidMode: "container:b", ipcMode: "container:c:d" };
    assert.deepEqual(joinsOf(config), { network: "a", pid: "b", ipc: "c:d" });
    assert.deepEqual(joinsOf({ network: "none", ipcMode: "shareable" }), {});
    assert.ok(!isJoined({ network: "containers" }));
    assert.ok(isJoined({ network: "none", pidMode: "container:b" }));
  });
});

describe("resolveJoins", () => {
  it("puts ids in place of names, and leaves the rest as it is", () => {
    const config = { network: "container:a", ipcMode: "shareable" };
    assert.deepEqual(
      resolveJoins(config, (name) => `id-of-${name}`),
      { network: "container:id-of-a", ipcMode: "shareable" },
    );
    const own = { network: "bridge" };
    assert.deepEqual(
      resolveJoins(own, () => assert.fail("nothing is to be found")),
      own,
    );
  });
});

describe("checkJoins", () => {
  it("lets a container join one without wishes of its own for the network", () => {
    checkJoins(plain);
    checkJoins({ ...plain, network: "none", pidMode: "container:web" });
    checkJoins({ ...plain, network: "bridge", hostname: "h" });
  });

  const port = { containerPort: 80, protocol: "tcp" } as const;
  const conflicts: Record<string, object> = {
    "hostname and the network mode": { hostname: "h" },
    "dns and the network mode": { dns: { ...plain.dns, search: ["x"] } },
    "custom host-to-IP mapping and the network mode": { extraHosts: ["1.1.1.1 a"] },
    "mac-address and the network mode": { networking: { mac: "02:00:00:00:00:01" } },
    "port publishing and the container type network mode": { networking: { ports: [port] } },
    "port exposing and the container type network mode": { exposedPorts: ["80/tcp"] },
    "network aliases and the container type network mode": { networking: { aliases: ["a"] } },
    "further networks and the container type network mode": { networking: { further: ["n"] } },
  };
  for (const [what, change] of Object.entries(conflicts)) {
    it(`refuses ${what}`, () => {
      assert.throws(() => checkJoins({ ...plain, ...change }), {
        code: "CONFIG_INVALID",
        message: `conflicting options: ${what}`,
      });
    });
  }

  it("refuses a name that is none", () => {
    assert.throws(() => checkJoins({ ...plain, network: "container:" }), {
      message: "invalid network mode: invalid container format container:<name|id>",
    });
  });

  it("refuses what a machine that runs already cannot give", () => {
    const refused = (change: object) => {
      assert.throws(() => checkJoins({ ...plain, ...change }), /DvmError/, JSON.stringify(change));
    };
    refused({ network: "default", pidMode: "container:web" });
    refused({ userNamespace: "private" });
    refused({ storageDriver: "virtiofs" });
  });
});
