import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { piece } from "../../api/docker/stdcopy.ts";
import { Pieces } from "./pieces.ts";

const stream = fc.constantFrom(1, 2);
const written = fc.array(fc.tuple(stream, fc.uint8Array({ maxLength: 50 })), { maxLength: 20 });
const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 10 });

describe("pieces of several streams", () => {
  it("are taken apart however they come, and go on where a full one left off", () => {
    fc.assert(
      fc.property(written, cuts, fc.infiniteStream(fc.boolean()), (all, lengths, isFull) => {
        const bytes = Buffer.concat(all.map(([number, each]) => piece(number, each)));
        const taken: Record<number, number[]> = { 1: [], 2: [] };
        const pieces = new Pieces();
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const length = lengths[Math.min(turn, lengths.length - 1)] ?? 1;
          let rest: Uint8Array = bytes.subarray(at, at + length);
          at += length;
          while (rest.length > 0) {
            rest = pieces.push(rest, (number, some) => {
              taken[number]?.push(...some);
              return isFull.next().value === true;
            });
          }
        }
        const sent: Record<number, number[]> = { 1: [], 2: [] };
        for (const [number, each] of all) sent[number]?.push(...each);
        assert.deepEqual(taken, sent);
      }),
    );
  });
});
