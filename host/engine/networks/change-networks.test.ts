import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerConfig } from "../container-config.ts";
import { PLAIN_CONFIG } from "../test-engine.ts";
import { withNetwork, withoutNetwork } from "./change-networks.ts";

const into = (config: Partial<ContainerConfig>, network: string, aliases: readonly string[] = []) =>
  pick(withNetwork({ ...PLAIN_CONFIG, ...config }, network, { aliases }));
const outOf = (config: Partial<ContainerConfig>, network: string) =>
  pick(withoutNetwork({ ...PLAIN_CONFIG, ...config }, [network]));

function pick({ network, networking = {} }: ContainerConfig) {
  return { network, ...JSON.parse(JSON.stringify(networking)) };
}

test("a container without a network gets its first, one that has some a further one", () => {
  assert.deepEqual(into({ network: "none" }, "a"), { network: "a" });
  assert.deepEqual(into({ network: "a", networking: { aliases: ["x"] } }, "b", ["y"]), {
    network: "a",
    aliases: ["x", "y"],
    further: ["b"],
  });
});

test("a container is not put where it is, nor beside a network of another kind", () => {
  assert.throws(() => into({ network: "a" }, "a"), { code: "WRONG_STATE" });
  assert.throws(() => into({ network: "a", networking: { further: ["b"] } }, "b"), {
    code: "WRONG_STATE",
  });
  assert.throws(() => into({ network: "user" }, "a"), { code: "CONFIG_INVALID" });
  assert.throws(() => into({ network: "container:id" }, "a"), /sharing network namespace/);
});

test("the next network takes the place of the first, without the first's address", () => {
  const networking = { ip: "10.0.0.9", aliases: ["x"], further: ["b", "c"] };
  assert.deepEqual(outOf({ network: "a", networking }, "a"), {
    network: "b",
    aliases: ["x"],
    further: ["c"],
  });
  assert.deepEqual(outOf({ network: "a", networking }, "c"), {
    network: "a",
    ip: "10.0.0.9",
    aliases: ["x"],
    further: ["b"],
  });
});

test("an address of one's own goes with its network", () => {
  const config = { ...PLAIN_CONFIG, network: "a" };
  const both = withNetwork(config, "b", { aliases: [], ip: "10.0.0.7" });
  assert.deepEqual(both.networking, { further: ["b"], furtherIps: { b: "10.0.0.7" } });
  assert.deepEqual(withoutNetwork(both, ["b"]).networking, { further: [] });
  assert.deepEqual(pick(withoutNetwork(both, ["a"])), {
    network: "b",
    ip: "10.0.0.7",
    further: [],
  });
});

test("in Docker's default network nobody is called anything, and without one nothing is published", () => {
  const networking = {
    aliases: ["x"],
    mac: "02:00:00:00:00:01",
    ports: [{ containerPort: 80, protocol: "tcp" as const }],
  };
  assert.deepEqual(
    outOf({ network: "a", networking: { ...networking, further: ["bridge"] } }, "a"),
    {
      network: "bridge",
      mac: "02:00:00:00:00:01",
      ports: [{ containerPort: 80, protocol: "tcp" }],
      further: [],
    },
  );
  assert.deepEqual(outOf({ network: "a", networking }, "a"), { network: "none" });
  assert.throws(() => outOf({ network: "a" }, "b"), { code: "WRONG_STATE" });
});
