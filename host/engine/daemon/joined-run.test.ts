import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DvmError } from "../../errors.ts";
import type { DiskConfig } from "../../vmm/hypervisor.ts";
import { PLAIN_CONFIG, type TestEngine, testEngine } from "../test-engine.ts";
import { OWN_USER } from "../test-run.ts";
import { Daemon } from "./daemon.ts";
import type { ManagedContainer } from "./managed-container.ts";

const { signal } = new AbortController();

/** A daemon with a container `first` that runs. @returns what is done with disks of its machine */
async function openPod(test: TestEngine, { takesDisks = true } = {}) {
  const daemon = await Daemon.open(test.options);
  const first = await start(daemon, "first", "none");
  const plugged: DiskConfig[][] = [];
  const unplugged: (readonly string[])[] = [];
  const [machine] = test.hypervisor.machines;
  assert.ok(machine);
  if (takesDisks) {
    Object.assign(machine, {
      plugDisks: async (disks: DiskConfig[]) => void plugged.push(disks),
      unplugDisks: async (serials: readonly string[]) => void unplugged.push(serials),
    });
  }
  return { daemon, first, machine, plugged, unplugged };
}

async function start(daemon: Daemon, name: string, network: string): Promise<ManagedContainer> {
  const container = await daemon.create({ ...PLAIN_CONFIG, name, network }, OWN_USER, signal);
  await container.start();
  return container;
}

const exitOf = (container: ManagedContainer) =>
  container.wait({ condition: "not-running", signal, onWaiting: () => {} });

describe("a container in another one's machine", () => {
  it("brings its disks, and takes them away with it; the machine stays", async () => {
    using test = testEngine({ untilSignalled: true });
    const { daemon, first, machine, plugged, unplugged } = await openPod(test);
    await using _daemon = daemon;
    const second = await start(daemon, "second", "container:first");
    const creation = machine.requests.findLast(({ type }) => type === "container.create");
    assert.ok(creation?.type === "container.create");
    const serials = plugged[0]?.map(({ serial }) => serial);
    assert.equal(creation.container, second.id);
    assert.deepEqual(creation.spec.joins, { network: first.id });
    assert.equal(creation.spec.hostname, first.id.slice(0, 12));
    assert.equal(creation.spec.rootfs.imageSerial, serials?.[0]);
    assert.equal(test.hypervisor.machines.length, 1);
    await second.stop({});
    assert.equal((await exitOf(second)).exitCode, 143);
    assert.deepEqual(unplugged, [serials]);
    assert.ok(machine.requests.some(({ type }) => type === "container.remove"));
    assert.ok(first.isRunning && !machine.ended);
    await first.remove({ force: true });
  });

  it("is refused by a machine that takes no further disks, and leaves nothing in it", async () => {
    using test = testEngine({ untilSignalled: true });
    const { daemon, first, machine } = await openPod(test, { takesDisks: false });
    await using _daemon = daemon;
    const refused = (error: unknown) => error instanceof DvmError && error.code === "NOT_SUPPORTED";
    await assert.rejects(start(daemon, "second", "container:first"), refused);
    assert.equal(machine.requests.filter(({ type }) => type === "container.create").length, 1);
    assert.ok(!daemon.find("second", OWN_USER).isRunning && first.isRunning);
    await first.remove({ force: true });
  });

  it("ends with the machine: asked to where that ends in order, killed where it is lost", async () => {
    using test = testEngine({ untilSignalled: true });
    const { daemon, first, machine } = await openPod(test);
    await using _daemon = daemon;
    const second = await start(daemon, "second", "container:first");
    await first.stop({});
    assert.equal((await exitOf(second)).exitCode, 143);
    assert.ok(machine.ended && !second.isRunning);
    await assert.rejects(second.start(), /cannot join network of a non running container/);
    await first.remove({ force: true });
    await assert.rejects(second.start(), /no such container/);
  });

  it("is killed with a machine that is", async () => {
    using test = testEngine({ untilSignalled: true });
    const { daemon, first } = await openPod(test);
    await using _daemon = daemon;
    const second = await start(daemon, "second", "container:first");
    await first.remove({ force: true });
    const { exitCode, error } = await exitOf(second);
    assert.equal(exitCode, 137);
    assert.match(error ?? "", new RegExp(`the machine of container ${first.id}, .* has ended`));
  });

  it("is taken over by the next daemon with the machine that it is in", async () => {
    using test = testEngine({ untilSignalled: true });
    const { daemon, machine, plugged, unplugged } = await openPod(test);
    await start(daemon, "second", "container:first");
    await daemon[Symbol.asyncDispose]();
    await using next = await Daemon.open(test.options);
    const [first, second] = ["first", "second"].map((name) => next.find(name, OWN_USER));
    assert.ok(first?.isRunning && second?.isRunning);
    assert.equal(second.machine?.owner, first.id);
    await second.stop({});
    assert.equal((await exitOf(second)).exitCode, 143);
    assert.deepEqual(unplugged, [plugged[0]?.map(({ serial }) => serial)]);
    assert.ok(!machine.ended);
    await first.remove({ force: true });
    await second.remove({ force: false });
    assert.deepEqual(test.leftovers(), []);
  });

  it("is lost where the machine was lost while no daemon ran", async () => {
    using test = testEngine({ untilSignalled: true });
    const { daemon, machine } = await openPod(test);
    await start(daemon, "second", "container:first");
    await daemon[Symbol.asyncDispose]();
    await machine.kill();
    await using next = await Daemon.open(test.options);
    const { exitCode, error } = await exitOf(next.find("second", OWN_USER));
    assert.equal(exitCode, 137);
    assert.match(error ?? "", /lost while no dvmd ran/);
  });
});
