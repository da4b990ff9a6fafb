import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { framed, takeFrames } from "./frame-pump.ts";

describe("frames of a stream", () => {
  it("go on whole and in their order, but for those that do not pass, however the stream is cut", () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
    fc.assert(
      fc.property(frames, fc.array(fc.nat({ max: 200 }), { maxLength: 10 }), (all, cuts) => {
        const stream = Buffer.concat(all.map(framed));
        const passes = (frame: Uint8Array) => frame.length % 3 !== 0;
        const out: Buffer[] = [];
        let held = Buffer.alloc(0);
        const places = [...cuts.map((cut) => cut % (stream.length + 1)), 0, stream.length];
        const sorted = places.sort((a, b) => a - b);
        for (const [index, start] of sorted.entries()) {
          held = Buffer.concat([held, stream.subarray(start, sorted[index + 1] ?? stream.length)]);
          const { pieces, rest } = takeFrames(held, passes);
          out.push(...pieces);
          held = Buffer.from(rest);
        }
        assert.equal(held.length, 0);
        assert.deepEqual(Buffer.concat(out), Buffer.concat(all.filter(passes).map(framed)));
      }),
    );
  });

  it("are refused when one is longer than any can be", () => {
    assert.throws(() => takeFrames(Buffer.from("ffffffff", "hex"), () => true), RangeError);
  });
});
