import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { beyondMachine, runningShape, withinMachine } from "./beyond-machine.ts";

const MIB = 2 ** 20;
const shape = runningShape({ memory: 64 * MIB, memorySwap: 96 * MIB, nanoCpus: 1e9 }, "tcg");

describe("what a running machine cannot give", () => {
  it("is nothing where limits are lowered, or taken away", () => {
    assert.deepEqual(beyondMachine({ memory: 32 * MIB, memorySwap: 48 * MIB }, shape), []);
    assert.deepEqual(beyondMachine({ memory: 64 * MIB, nanoCpus: 5e8 }, shape), []);
  });

  it("is told of: memory, CPUs and swap", () => {
    const told = beyondMachine(
      { memory: 100 * MIB, memorySwap: 400 * MIB, cpusetCpus: "0-1" },
      shape,
    );
    assert.deepEqual(told, [
      `the machine has ${shape.memoryMiB} MiB of memory until its container is started again`,
      "the machine has 1 vCPU until its container is started again",
      "the machine has 32 MiB of swap until its container is started again",
    ]);
  });
});

describe("the CPUs of a set that a running machine has", () => {
  it("are what is left of it", () => {
    assert.equal(withinMachine({ cpusetCpus: "0-3" }, shape).cpusetCpus, "0");
    assert.deepEqual(withinMachine({ cpusetCpus: "0" }, shape), { cpusetCpus: "0" });
    assert.deepEqual(withinMachine({ memory: MIB }, shape), { memory: MIB });
  });

  it("are to be one at least", () => {
    assert.throws(() => withinMachine({ cpusetCpus: "1" }, shape), { code: "NOT_SUPPORTED" });
  });
});
