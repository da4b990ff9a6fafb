import assert from "node:assert/strict";
import { test } from "node:test";
import type { Resources } from "../protocol/container-spec.ts";
import { cgroupSettings, resourceLimit } from "./resources.ts";

const MiB = 1024 * 1024;
const files = (resources: Resources): Record<string, string> =>
  Object.fromEntries(cgroupSettings(resources).map(({ file, value }) => [file, value]));

test("no limits write nothing", () => {
  assert.deepEqual(files({}), {});
  assert.deepEqual(files({ memory: 0, memorySwap: 0, pids: 0, cpuShares: 0, cpusetCpus: "" }), {});
});

test("a memory limit alone allows as much swap again", () => {
  assert.deepEqual(files({ memory: 64 * MiB }), {
    "memory.max": "67108864",
    "memory.swap.max": "67108864",
  });
});

test("memory-swap counts memory in", () => {
  assert.equal(
    files({ memory: 64 * MiB, memorySwap: 100 * MiB })["memory.swap.max"],
    String(36 * MiB),
  );
  assert.equal(files({ memory: 64 * MiB, memorySwap: 64 * MiB })["memory.swap.max"], "0");
  assert.equal(files({ memory: 64 * MiB, memorySwap: -1 })["memory.swap.max"], "max");
});

test("minus one lifts a limit", () => {
  assert.deepEqual(files({ memory: -1, pids: -1, cpuQuota: -1 }), {
    "memory.max": "max",
    "memory.swap.max": "max",
    "pids.max": "max",
    "cpu.max": "max 100000",
  });
});

test("contradictory memory limits are refused", () => {
  assert.throws(() => files({ memory: 1 * MiB }), /minimum memory limit allowed is 6MB/);
  assert.throws(() => files({ memorySwap: 64 * MiB }), /memory limit should be set/);
  assert.throws(
    () => files({ memory: 64 * MiB, memorySwap: 32 * MiB }),
    /larger than memory limit/,
  );
  assert.throws(() => files({ memory: 64 * MiB, memoryReservation: 65 * MiB }), /reservation/);
});

test("a reservation is protected memory", () => {
  assert.equal(files({ memoryReservation: 32 * MiB })["memory.low"], String(32 * MiB));
});

test("quota and period become cpu.max, shares become cpu.weight", () => {
  assert.equal(files({ cpuQuota: 50_000 })["cpu.max"], "50000 100000");
  assert.equal(files({ cpuQuota: 25_000, cpuPeriod: 50_000 })["cpu.max"], "25000 50000");
  assert.equal(files({ cpuPeriod: 50_000 })["cpu.max"], "max 50000");
  for (const [shares, weight] of [
    [2, "1"],
    [1024, "39"],
    [262_144, "10000"],
  ] as const) {
    assert.equal(files({ cpuShares: shares })["cpu.weight"], weight);
  }
});

test("CPU lists are checked before they are written", () => {
  assert.equal(files({ cpusetCpus: "0-2,4" })["cpuset.cpus"], "0-2,4");
  for (const list of ["0-", "a", "0\n1", " 1", "1,,2"])
    assert.throws(() => files({ cpusetCpus: list }), /cpuset-cpus/);
});

test("rlimits go by name, minus one being no limit", () => {
  assert.deepEqual(resourceLimit({ name: "nofile", soft: 10, hard: 20 }), {
    resource: 7,
    limit: { soft: 10, hard: 20 },
  });
  assert.deepEqual(resourceLimit({ name: "core", soft: -1, hard: -1 }).limit, {
    soft: Number.POSITIVE_INFINITY,
    hard: Number.POSITIVE_INFINITY,
  });
  assert.throws(() => resourceLimit({ name: "foo", soft: 1, hard: 1 }), /invalid ulimit type: foo/);
  assert.throws(
    () => resourceLimit({ name: "nofile", soft: -1, hard: 5 }),
    /at most the hard limit/,
  );
});
