import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MachineConfig, StartOptions } from "../vmm/hypervisor.ts";
import { Daemon } from "./daemon/daemon.ts";
import { PLAIN_CONFIG, testEngine } from "./test-engine.ts";
import { type GuestBehaviour, TestHypervisor, TestMachine } from "./test-machine.ts";
import { runAttached } from "./test-run.ts";

/** Machines are clones of a template whose guest does this, unless they are to boot. */
class CloningHypervisor extends TestHypervisor {
  readonly rejected: MachineConfig[] = [];
  readonly #clone: GuestBehaviour;

  constructor(clone: GuestBehaviour) {
    super({ out: "ran\n" });
    this.#clone = clone;
  }

  override async start(config: MachineConfig, { fresh, onTemplate }: StartOptions = {}) {
    if (fresh) return super.start(config);
    onTemplate?.({ kind: "cloned" });
    const machine = new TestMachine(config, this.#clone);
    this.machines.push(machine);
    return machine;
  }

  async rejectTemplate(config: MachineConfig): Promise<void> {
    this.rejected.push(config);
  }
}

async function run(clone: GuestBehaviour) {
  const hypervisor = new CloningHypervisor(clone);
  using test = testEngine({}, { openHypervisor: async () => ({ hypervisor, reason: "a test" }) });
  await using daemon = await Daemon.open(test.options);
  const config = { ...PLAIN_CONFIG, stdinOnce: false, autoRemove: true };
  const { ended } = await runAttached(daemon, config);
  const { exitCode } = await ended;
  const warnings = test.events.flatMap((each) => (each.type === "warning" ? [each.text] : []));
  return { hypervisor, exitCode, warnings, leftovers: test.leftovers() };
}

describe("a clone", () => {
  it("that says no hello is given up with its template, and the machine boots", async () => {
    const { hypervisor, exitCode, warnings, leftovers } = await run({ silent: true });
    assert.equal(exitCode, 0);
    assert.deepEqual(
      hypervisor.machines.map(({ ended }) => ended),
      [true, true],
    );
    assert.equal(hypervisor.rejected.length, 1);
    assert.match(warnings.join(), /the template of this machine is not usable, so it boots/);
    assert.deepEqual(leftovers, []);
  });

  it("that says hello is the container's machine", async () => {
    const { hypervisor, exitCode, warnings } = await run({ code: 7 });
    assert.equal(exitCode, 7);
    assert.equal(hypervisor.machines.length, 1);
    assert.deepEqual([hypervisor.rejected, warnings], [[], []]);
  });
});
