import assert from "node:assert/strict";
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import type { MachineConfig, TemplateUse } from "../hypervisor.ts";
import { KvmHypervisor } from "./kvm-hypervisor.ts";
import { Conversation, SmallGuests, sumOf, whyNoKvm } from "./small-guest/small-guest.ts";

const skip = whyNoKvm() ?? false;
const guests = skip === false ? new SmallGuests() : undefined;
after(() => guests?.[Symbol.dispose]());

let stores = 0;

function setUp() {
  assert.ok(guests);
  const templates = join(guests.folder, `templates-${stores++}`);
  return { guests, templates, hypervisor: new KvmHypervisor({ templates }) };
}

/** Starts a machine, and tells what became of its template. */
async function start(hypervisor: KvmHypervisor, config: MachineConfig) {
  const uses: TemplateUse[] = [];
  const machine = await hypervisor.start(config, { onTemplate: (use) => uses.push(use) });
  return { guest: new Conversation(machine), machine, uses };
}

describe("a template of the kvm backend", { skip }, () => {
  it("is cloned into machines that go on where it was, each for itself", async () => {
    const { guests, hypervisor } = setUp();
    assert.equal(await hypervisor.saveTemplate(guests.config()), true);
    const first = await start(hypervisor, guests.config());
    await using one = first.guest;
    assert.deepEqual(first.uses, [{ kind: "cloned" }]);
    assert.deepEqual(await one.numbers("m"), [1]);
    assert.deepEqual(await one.numbers("m"), [2]);
    await using two = (await start(hypervisor, guests.config())).guest;
    assert.deepEqual(await two.numbers("m"), [1]);
    assert.deepEqual(await one.numbers("m"), [3]);
  });

  it("has clones whose devices are their own", async () => {
    const { guests, hypervisor } = setUp();
    await hypervisor.saveTemplate(guests.config());
    const config = guests.config();
    const { guest, machine } = await start(hypervisor, config);
    await using _ = guest;
    const image = readFileSync(guests.image);
    assert.deepEqual(await guest.numbers("r"), [sumOf(image.subarray(0, 65536))]);
    assert.deepEqual(await guest.numbers("R", 2), [1, 1]);
    const pattern = Uint8Array.from({ length: 65536 }, (_, at) => at * 7 + (at >> 8));
    const sum = sumOf(pattern);
    assert.deepEqual(await guest.numbers("w", 3), [sum, 0, sum]);
    const upper = readFileSync(join(config.runDirectory, "upper"));
    assert.equal(sumOf(upper.subarray(4096, 4096 + 65536)), sum);
    assert.deepEqual(await guest.ask("s"), ["upper"]);
    assert.deepEqual(await guest.numbers("i"), [16]);
    const [length] = await guest.numbers("n", 2);
    assert.equal(length, 64);
    assert.deepEqual(await guest.numbers("b"), [7 << 8]);
    machine.agent.write("x");
    assert.deepEqual(await machine.exit, { reason: "reboot" });
  });

  it("fits only machines of its shape", async () => {
    const { guests, hypervisor } = setUp();
    await hypervisor.saveTemplate(guests.config());
    const { guest, uses } = await start(hypervisor, guests.config({ memoryMiB: 18 }));
    await using _ = guest;
    assert.deepEqual(uses, [{ kind: "missing" }]);
    assert.deepEqual(await guest.lines(1), ["ready"]);
  });

  const damages: Record<string, (folder: string) => void> = {
    "whose memory was cut": (folder) => truncateSync(join(folder, "memory"), 4096),
    "whose state was changed": (folder) => {
      const state = readFileSync(join(folder, "state"));
      writeFileSync(join(folder, "state"), state.with(100, Number(state[100]) ^ 1));
    },
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`${what} is done without, and removed`, async () => {
      const { guests, hypervisor, templates } = setUp();
      await hypervisor.saveTemplate(guests.config());
      const keys = () => readdirSync(templates).filter((name) => name !== "lock");
      damage(join(templates, String(keys()[0])));
      const { guest, uses } = await start(hypervisor, guests.config());
      await using _ = guest;
      assert.deepEqual(await guest.lines(1), ["ready"]);
      assert.equal(uses[0]?.kind, "unusable");
      assert.deepEqual(keys(), []);
    });
  }

  it("is not made of a guest that ends before it can be saved", async () => {
    const { guests, hypervisor, templates } = setUp();
    const config = guests.config({ commandLine: ["hang"] });
    const deadlines = { boot: 300 };
    await assert.rejects(hypervisor.saveTemplate(config, { deadlines } as object));
    assert.deepEqual(readdirSync(templates), ["lock"]);
  });
});
