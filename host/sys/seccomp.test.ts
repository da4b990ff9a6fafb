import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFilter } from "./seccomp.ts";

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const X86_64 = 0xc000003e;

/** Runs a filter as the kernel does, for the three instructions that it is made of. */
function run(filter: Buffer, call: { arch: number; number: number; arguments?: number[] }): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number, 0);
  data.writeUInt32LE(call.arch, 4);
  for (const [index, value] of (call.arguments ?? []).entries()) {
    data.writeBigUInt64LE(BigInt(value), 16 + 8 * index);
  }
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const code = filter.readUInt16LE(8 * at);
    const k = filter.readUInt32LE(8 * at + 4);
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x15) at += filter.readUInt8(8 * at + (accumulator === k ? 2 : 3));
    else if (code === 0x06) return k;
    else throw new Error(`instruction ${code}`);
  }
}

const filter = encodeFilter([
  { number: 16, argument: { index: 1, values: [0xae80] } },
  { number: 0 },
  { number: 257, errno: 13 },
]);

test("lets through the calls of the list", () => {
  assert.equal(run(filter, { arch: X86_64, number: 0 }), ALLOW);
  assert.equal(run(filter, { arch: X86_64, number: 16, arguments: [9, 0xae80] }), ALLOW);
});

test("kills on any other call, argument or architecture", () => {
  assert.equal(run(filter, { arch: X86_64, number: 1 }), KILL);
  assert.equal(run(filter, { arch: X86_64, number: 0x40000000 }), KILL);
  assert.equal(run(filter, { arch: X86_64, number: 16, arguments: [0xae80, 0xae81] }), KILL);
  assert.equal(run(filter, { arch: 0x40000003, number: 0 }), KILL);
});

test("fails a call that is to fail without harm", () => {
  assert.equal(run(filter, { arch: X86_64, number: 257 }), 0x5000d);
});
