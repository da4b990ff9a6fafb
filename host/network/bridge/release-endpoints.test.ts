import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Endpoint } from "./endpoint.ts";
import { HostState, leaveEndpoints } from "./host-state.ts";
import { clear, tablesWithout } from "./release-endpoints.ts";

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

/** A state of its own, and an nft(8) that does what `script` says instead of changing this host. */
class Scratch implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "dvm-release-"));
  readonly #path = process.env.PATH ?? "";

  constructor() {
    process.env.PATH = `${this.root}:${this.#path}`;
  }

  setNft(script: string): void {
    writeFileSync(join(this.root, "nft"), `#!/bin/sh\ncat >/dev/null\n${script}\n`);
    chmodSync(join(this.root, "nft"), 0o755);
  }

  [Symbol.dispose](): void {
    process.env.PATH = this.#path;
    rmSync(this.root, { recursive: true });
  }
}

describe("an endpoint that goes", () => {
  it("is among the dead until what was made for it is gone", async () => {
    using scratch = new Scratch();
    using state = await HostState.open(join(scratch.root, "state"));
    const leaving = endpoint("dvt-gone", {
      runDirectory: scratch.root,
      policy: { egress: "deny" },
    });
    state.write(leaving);
    assert.deepEqual(state.endpoints().living, [leaving]);
    scratch.setNft("echo no >&2; exit 1");
    await assert.rejects(clear(state, [leaving]), { code: "NETWORK_FAILED" });
    assert.deepEqual(state.endpoints(), { living: [], idle: [], dead: [leaving] });
    scratch.setNft("exit 0");
    await clear(state, state.endpoints().dead);
    assert.deepEqual(state.endpoints(), { living: [], idle: [], dead: [] });
  });

  it("is told of when it leaves, once, for the sake of its ports", async () => {
    using scratch = new Scratch();
    const root = join(scratch.root, "state");
    using state = await HostState.open(root);
    const port = { hostIp: "0.0.0.0", hostPort: 80, containerPort: 80, protocol: "tcp" } as const;
    const leaving = endpoint("dvt-port", { runDirectory: scratch.root, ports: [port] });
    state.write(leaving);
    assert.deepEqual(
      leaveEndpoints(() => true, root),
      [leaving],
    );
    assert.deepEqual(
      leaveEndpoints(() => true, root),
      [],
    );
    assert.deepEqual(state.endpoints().dead, [leaving]);
  });
});
