import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { MachineState, MachineStateError, Section, type SectionKind } from "./machine-state.ts";

const kinds = Object.values(Section);
const sections = fc.uniqueArray(
  fc.record({
    kind: fc.constantFrom(...kinds) as fc.Arbitrary<SectionKind>,
    index: fc.nat(300),
    content: fc.uint8Array({ maxLength: 64 }),
  }),
  { selector: ({ kind, index }) => `${kind} ${index}` },
);

function stateOf(list: readonly { kind: SectionKind; index: number; content: Uint8Array }[]) {
  const state = new MachineState();
  for (const { kind, index, content } of list) state.set(kind, index, content);
  return state;
}

describe("MachineState", () => {
  it("is read back as it was written", () => {
    fc.assert(
      fc.property(sections, (list) => {
        const state = MachineState.decode(stateOf(list).encode());
        for (const { kind, index, content } of list) {
          assert.deepEqual(state.get(kind, index), content);
        }
      }),
    );
  });

  it("refuses what was cut off, grew, or is of another version", () => {
    const bytes = stateOf([{ kind: Section.pit, index: 0, content: new Uint8Array(9) }]).encode();
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => MachineState.decode(bytes.subarray(0, length)), MachineStateError);
    }
    assert.throws(() => MachineState.decode(new Uint8Array([...bytes, 0])), MachineStateError);
    assert.throws(() => MachineState.decode(bytes.with(8, 99)), /version 99/);
    assert.throws(() => MachineState.decode(bytes.with(0, 0)), /no state/);
  });

  it("gives a state or its own error for any bytes", () => {
    const header = new MachineState().encode();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(9), (tail, count) => {
        const bytes = new Uint8Array([...header, ...tail]).with(12, count);
        try {
          MachineState.decode(bytes);
        } catch (error) {
          assert.ok(error instanceof MachineStateError, String(error));
        }
      }),
    );
  });

  it("has a section only of the length that is wanted", () => {
    const state = stateOf([{ kind: Section.pit, index: 0, content: new Uint8Array(9) }]);
    assert.throws(() => state.get(Section.pit, 0, 112), /has 9 bytes, not 112/);
    assert.throws(() => state.get(Section.clock, 0), /no section/);
  });
});
