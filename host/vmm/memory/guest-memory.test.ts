import assert from "node:assert/strict";
import { closeSync, readSync, writeSync } from "node:fs";
import { test } from "node:test";
import { vmmSystem } from "../../sys/vmm-system.ts";
import type { System } from "../kvm/system.ts";
import { createGuestMemory, GuestAddressError } from "./guest-memory.ts";

const MIB = 1024 * 1024;
const RANGES = [
  { start: 0, length: 2 * MIB },
  { start: 16 * MIB, length: MIB },
];
const system = vmmSystem as System;

test("fresh memory is zeroed, begins where a huge page does, and is all there is", () => {
  const memory = createGuestMemory(system, RANGES);
  assert.equal(memory.hostAddress(0, 1) % (2 * MIB), 0);
  assert.ok(memory.regions.every(({ bytes }) => bytes.every((byte) => byte === 0)));
  memory.write(16 * MIB, Uint8Array.of(1, 2, 3));
  const { region, offset } = memory.locate(17 * MIB - 1, 1);
  assert.deepEqual([region.start, offset, region.bytes[0]], [16 * MIB, MIB - 1, 1]);
  for (const [address, length] of [
    [2 * MIB - 1, 2],
    [2 * MIB, 1],
    [17 * MIB, 1],
    [-1, 1],
    [2 ** 64, 1],
  ] as const) {
    assert.throws(() => memory.locate(address, length), GuestAddressError);
  }
});

test("memory over a file begins as that, its regions one after the other, and leaves it as it was", () => {
  const fd = vmmSystem.memfd("template", 3 * MIB);
  writeSync(fd, Uint8Array.of(7), 0, 1, 2 * MIB);
  const runs = [{ offset: 2 * MIB, length: 8192 }];
  const one = createGuestMemory(system, RANGES, { memory: fd, state: -1, runs });
  const other = createGuestMemory(system, RANGES, { memory: fd, state: -1, runs: [] });
  one.write(16 * MIB, Uint8Array.of(9));
  assert.equal(one.locate(16 * MIB, 1).region.bytes[0], 9);
  assert.equal(other.locate(16 * MIB, 1).region.bytes[0], 7);
  const read = Buffer.alloc(1);
  readSync(fd, read, 0, 1, 2 * MIB);
  assert.deepEqual([...read], [7]);
  closeSync(fd);
});
