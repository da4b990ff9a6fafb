import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Endpoint } from "./endpoint.ts";
import { tablesWithout } from "./release-endpoints.ts";

const network = {
  id: "a",
  name: "a",
  bridge: "dvb-a",
  subnet: { base: 0x0a000000, prefix: 24 },
  gateway: 0x0a000001,
  internal: false,
};

function endpoint(tap: string, more: Partial<Endpoint> = {}): Endpoint {
  return {
    version: 1,
    container: "c",
    network,
    runDirectory: "/run/c",
    tap,
    mac: "02:00:00:00:00:01",
    address: "10.0.0.2",
    names: [],
    ports: [],
    ...more,
  };
}

describe("the tables of endpoints that leave", () => {
  const card = endpoint("dvt-card");
  const first = endpoint("dvt-1", { carrier: "dvt-card", mac: "02:00:00:00:00:11" });
  const second = endpoint("dvt-2", { carrier: "dvt-card", mac: "02:00:00:00:00:12" });

  it("leave a card what else it carries, in the same transaction", () => {
    const script = tablesWithout([first], { living: [card, second], idle: [] });
    assert.match(script, /delete table netdev dvm-dvt-card\ntable netdev dvm-dvt-card \{/);
    assert.match(script, /02:00:00:00:00:12 fwd to "dvr-2"/);
    assert.doesNotMatch(script, /02:00:00:00:00:11/);
  });

  it("go with the card, and with the last that it carries", () => {
    const all = tablesWithout([card, first], { living: [], idle: [] });
    assert.equal(all, "table netdev dvm-dvt-card\ndelete table netdev dvm-dvt-card\n");
    const last = tablesWithout([first], { living: [card], idle: [] });
    assert.equal(last, all);
    // one that is in no network itself lets nothing else through
    const idle = tablesWithout([first], { living: [], idle: [{ ...card, idle: true }] });
    assert.match(idle, /policy accept;\n {4}drop\n/);
  });

  it("are none for a plain card", () => {
    assert.equal(tablesWithout([card], { living: [], idle: [] }), "");
    const policed = endpoint("dvt-p", { policy: { egress: "deny" } });
    assert.match(tablesWithout([policed], { living: [], idle: [] }), /delete table netdev dvt-p\n/);
  });
});
