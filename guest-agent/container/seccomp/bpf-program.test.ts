import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decide } from "./bpf-interpreter.ts";
import { BpfProgram } from "./bpf-program.ts";

const ERRNO = 0x0005_0000;
const ALLOW = 0x7fff_0000;

test("decides by a chain of comparisons, however far apart their targets lie", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 5000 }), { maxLength: 900 }), (listed) => {
      const program = new BpfProgram();
      const allow = program.ret(ALLOW);
      let decision = program.ret(ERRNO | 999);
      for (const number of listed) decision = program.ifEqual(number, allow, decision);
      program.load(0, decision);
      const bytes = program.bytes();
      for (const nr of [...listed.slice(0, 20), 5001, 6000]) {
        assert.equal(decide(bytes, { arch: 0, nr }), listed.includes(nr) ? "ALLOW" : "ERRNO 999");
      }
    }),
    { numRuns: 60 },
  );
});

test("equal tails are written once", () => {
  const program = new BpfProgram();
  program.ifEqual(1, program.ret(ALLOW), program.ret(ERRNO));
  const before = program.length;
  program.ifEqual(1, program.ret(ALLOW), program.ret(ERRNO));
  assert.equal(program.length, before);
});

test("a comparison whose outcomes are the same is left out", () => {
  const program = new BpfProgram();
  const allow = program.ret(ALLOW);
  assert.equal(program.ifEqual(5, allow, allow), allow);
  assert.equal(program.length, 1);
});

test("a load that is not next to its successor jumps there", () => {
  const program = new BpfProgram();
  const allow = program.ret(ALLOW);
  const refuse = program.ret(ERRNO | 1);
  const first = program.load(0, allow);
  program.load(4, program.ifEqual(7, first, refuse));
  assert.equal(decide(program.bytes(), { arch: 7, nr: 0 }), "ALLOW");
  assert.equal(decide(program.bytes(), { arch: 8, nr: 0 }), "ERRNO 1");
});
