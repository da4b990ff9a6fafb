import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { VmmError } from "../errors.ts";
import type { MachineConfig, SavedMachine } from "../hypervisor.ts";
import { KvmHypervisor } from "./kvm-hypervisor.ts";
import { RunFile } from "./open-machine.ts";
import { Conversation, SmallGuests, whyNoKvm } from "./small-guest/small-guest.ts";
import type { VmmProcess } from "./vmm-process.ts";

const skip = whyNoKvm() ?? false;
const guests = skip === false ? new SmallGuests() : undefined;
after(() => guests?.[Symbol.dispose]());

let files = 0;

/** As the engine saves a machine. */
async function save(machine: VmmProcess): Promise<SavedMachine> {
  assert.ok(guests);
  const path = join(guests.folder, `saved-${files++}`);
  await machine.pause();
  try {
    return { path, format: await machine.saveTo(path) };
  } finally {
    await machine.resume();
  }
}

async function goOn(restoreFrom: SavedMachine, config?: MachineConfig): Promise<Conversation> {
  assert.ok(guests);
  return new Conversation(
    await new KvmHypervisor().start(config ?? guests.config(), { restoreFrom }),
  );
}

describe("a machine of the kvm backend that is saved while it runs", { skip }, () => {
  it("runs on, and others go on from there, as often as one likes", async () => {
    assert.ok(guests);
    await using first = await guests.start();
    assert.deepEqual(await first.numbers("m"), [1]);
    const saved = await save(first.machine);
    assert.deepEqual(await first.numbers("m"), [2]);
    const again = await save(first.machine);
    for (const [from, next] of [
      [saved, 2],
      [saved, 2],
      [again, 3],
    ] as const) {
      await using copy = await goOn(from);
      assert.deepEqual(await copy.numbers("m"), [next]);
      assert.deepEqual(await copy.ask("s"), ["upper"]);
      assert.deepEqual(await copy.numbers("i"), [16]);
    }
    assert.deepEqual(await first.numbers("m"), [3]);
    assert.ok(statSync(saved.path).blocks * 512 < 16 * 2 ** 20, "its file is not sparse");
  });

  it("stays still until it is let go on", async () => {
    assert.ok(guests);
    await using guest = await guests.start();
    await guest.machine.pause();
    await guest.machine.saveTo(join(guests.folder, "still"));
    guest.machine.agent.write("m");
    let isStill = true;
    const answer = guest.lines(1).finally(() => {
      isStill = false;
    });
    await setTimeout(200);
    assert.ok(isStill, "it answers");
    await guest.machine.resume();
    assert.deepEqual(await answer, ["1"]);
  });

  it("is let go on by the end of whoever saves it", async () => {
    assert.ok(guests);
    const config = guests.config();
    const hypervisor = new KvmHypervisor();
    await using guest = new Conversation(await hypervisor.start(config, { detached: true }));
    await guest.lines(1);
    await guest.machine.pause();
    // what a daemon that is killed leaves: a machine that is paused
    await using next = new Conversation((await hypervisor.adopt(config)) as VmmProcess);
    assert.deepEqual(await next.numbers("m"), [1]);
  });

  it("cannot be gone on from by another shape, another VMM or processor, or half a file", async () => {
    assert.ok(guests);
    await using guest = await guests.start();
    const saved = await save(guest.machine);
    const refused = (from: SavedMachine, changes: Partial<MachineConfig> = {}) =>
      assert.rejects(goOn(from, guests?.config(changes)), VmmError);
    await refused({ ...saved, format: saved.format.replace('version":', 'version":1') });
    await refused({ ...saved, format: '{"format":1,"version":"7.2.22","memory":"machine"}' });
    await refused(saved, { memoryMiB: 18 });
    await refused(saved, { networks: [], disks: [] });
    truncateSync(saved.path, 4096);
    await refused(saved);
  });
});

describe("a spare of the kvm backend", { skip }, () => {
  async function setUp() {
    assert.ok(guests);
    const hypervisor = new KvmHypervisor({ templates: join(guests.folder, `pool-${files++}`) });
    await hypervisor.saveTemplate(guests.config());
    return { guests, hypervisor };
  }

  it("becomes a clone of the template, in the run directory of its taker", async () => {
    const { guests, hypervisor } = await setUp();
    const waiting = guests.config({ networks: [], disks: [] });
    await using spare = await hypervisor.prepare(waiting);
    assert.ok(spare);
    const config = guests.config();
    await using machine = new Conversation((await spare.become(config)) as VmmProcess);
    assert.equal(machine.machine.pid, spare.pid);
    assert.deepEqual(await machine.numbers("m"), [1]);
    assert.deepEqual(await machine.ask("s"), ["upper"]);
    assert.ok(existsSync(join(config.runDirectory, RunFile.vmmLog)));
    assert.deepEqual(readdirSync(waiting.runDirectory), ["upper"]);
    await using next = new Conversation((await hypervisor.adopt(config)) as VmmProcess);
    assert.deepEqual(await next.numbers("m"), [2]);
  });

  it("that nobody takes is gone with who keeps it", async () => {
    const { guests, hypervisor } = await setUp();
    const spare = await hypervisor.prepare(guests.config());
    assert.ok(spare);
    await spare[Symbol.asyncDispose]();
    await spare.exit;
    assert.throws(() => process.kill(spare.pid, 0), /ESRCH/);
  });

  it("without a template boots", async () => {
    const { guests, hypervisor } = await setUp();
    await using spare = await hypervisor.prepare(guests.config());
    assert.ok(spare);
    const config = guests.config({ memoryMiB: 18 });
    await using machine = new Conversation((await spare.become(config)) as VmmProcess);
    assert.deepEqual(await machine.lines(1), ["ready"]);
  });

  it("that gets a machine which cannot be is refused, and gone", async () => {
    const { guests, hypervisor } = await setUp();
    await using spare = await hypervisor.prepare(guests.config());
    assert.ok(spare);
    await assert.rejects(spare.become(guests.config({ kernel: "/nowhere" })), VmmError);
    assert.throws(() => process.kill(spare.pid, 0), /ESRCH/);
  });
});
