import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Daemon } from "../daemon/daemon.ts";
import type { ManagedContainer } from "../daemon/managed-container.ts";
import { PLAIN_CONFIG, type TestEngine, testEngine } from "../test-engine.ts";
import { TestHypervisor } from "../test-machine.ts";
import { OWN_USER } from "../test-run.ts";
import { forkedConfig } from "./snapshots.ts";

const never = new AbortController().signal;
const hex = "0123456789abcdef".repeat(4);

/** Machines that can be saved, when they are let. */
class SavingHypervisor extends TestHypervisor {
  may: Promise<void> = Promise.resolve();
  saves = 0;

  override async start(...args: Parameters<TestHypervisor["start"]>) {
    const machine = await super.start(...args);
    const saveTo = async (path: string) => {
      this.saves++;
      writeFileSync(path, Buffer.alloc(8192, 1));
      await this.may;
      return "a format";
    };
    return Object.assign(machine, { saveTo });
  }
}

describe("snapshots", () => {
  let test: TestEngine;
  let hypervisor: SavingHypervisor;
  let daemon: Daemon;

  beforeEach(async () => {
    hypervisor = new SavingHypervisor({ untilSignalled: true });
    test = testEngine({}, { openHypervisor: async () => ({ hypervisor, reason: "a test" }) });
    daemon = await Daemon.open(test.options);
  });

  afterEach(async () => {
    await daemon[Symbol.asyncDispose]();
    test[Symbol.dispose]();
  });

  const folders = () => readdirSync(join(test.folders.dataRoot, "snapshots"));

  async function running(changes: object = {}): Promise<ManagedContainer> {
    const config = { ...PLAIN_CONFIG, stdinOnce: false, ...changes };
    const container = await daemon.create(config, OWN_USER, never);
    await container.start();
    return container;
  }

  it("of one name are one, when two are made at once", async () => {
    const container = await running();
    const { promise, resolve } = Promise.withResolvers<void>();
    hypervisor.may = promise;
    const make = () => daemon.snapshots.create(container, OWN_USER, { name: "same" });
    const calls = [make(), make()];
    await assert.rejects(Promise.race(calls), { code: "SNAPSHOT_EXISTS" });
    resolve();
    const results = await Promise.allSettled(calls);
    assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    assert.equal(hypervisor.saves, 1);
    assert.equal(folders().length, 1);
    assert.deepEqual(
      daemon.snapshots.list(OWN_USER).map(({ name }) => name),
      ["same"],
    );
  });

  it("of a name that failed can be made again", async () => {
    const container = await running();
    hypervisor.may = Promise.reject(new Error("no room"));
    hypervisor.may.catch(() => {});
    const make = () => daemon.snapshots.create(container, OWN_USER, { name: "same" });
    await assert.rejects(make(), /no room/);
    assert.deepEqual(folders(), []);
    hypervisor.may = Promise.resolve();
    assert.equal((await make()).name, "same");
  });

  it("of checkpoints have names of their own for each container", async () => {
    const [one, two] = [await running(), await running()];
    await daemon.snapshots.createCheckpoint(one, "same");
    await daemon.snapshots.createCheckpoint(two, "same");
    await assert.rejects(daemon.snapshots.createCheckpoint(two, "same"), {
      code: "SNAPSHOT_EXISTS",
    });
    await daemon.snapshots.create(one, OWN_USER, { name: "same" });
  });

  it("tell what they take on the disk", async () => {
    await daemon.snapshots.create(await running(), OWN_USER, { name: "large" });
    assert.deepEqual(
      daemon.snapshots.list(OWN_USER).map(({ size }) => size),
      [8192],
    );
  });

  it("are another user's as good as not there", async () => {
    await daemon.snapshots.create(await running(), OWN_USER, { name: "own" });
    const stranger = { ...OWN_USER, uid: 4711 };
    assert.deepEqual(daemon.snapshots.list(stranger), []);
    assert.throws(() => daemon.snapshots.find("own", stranger), { code: "NO_SUCH_SNAPSHOT" });
  });

  it("are not made of a container with a disk of the host, which runs on", async () => {
    const access = { read: true, write: true, mknod: true };
    const container = await running();
    const { config } = container.record;
    const devices = [{ source: "/dev/sda", target: "/dev/sda", access }];
    Object.assign(config, { devices });
    for (const work of [
      () => daemon.snapshots.fork(container, OWN_USER, {}),
      () => daemon.snapshots.create(container, OWN_USER, { name: "disk" }),
    ]) {
      await assert.rejects(work(), { code: "NOT_SUPPORTED", message: /has a disk of the host/ });
    }
    assert.deepEqual(folders(), []);
    assert.equal(container.record.state.status, "running");
  });
});

describe("a fork", () => {
  it("has no address that was asked for by number, in none of its networks", () => {
    const networking = {
      ip: "10.0.0.2",
      ip6: "fd00::2",
      mac: "02:00:00:00:00:09",
      further: ["other"],
      furtherIps: { other: "10.1.0.2" },
      aliases: ["db"],
    };
    const config = { ...PLAIN_CONFIG, name: "first", stdinOnce: false, networking };
    const forked = forkedConfig({ id: hex, config }, { name: "second" });
    assert.deepEqual(forked.networking, { further: ["other"], aliases: ["db"] });
    assert.equal(forked.name, "second");
    assert.equal(forked.hostname, hex.slice(0, 12));
  });
});
