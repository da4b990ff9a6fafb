import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bootstrapMedian, median } from "./bootstrap.ts";

describe("bootstrapMedian", () => {
  it("brackets the median, tightly where the data are tight", () => {
    const tight = bootstrapMedian([10, 10.1, 9.9, 10, 10.05, 9.95, 10, 10.02]);
    const wide = bootstrapMedian([1, 20, 5, 18, 10, 3, 15, 8]);
    assert.ok(tight.low <= tight.median && tight.median <= tight.high);
    assert.ok(tight.high - tight.low < 0.2);
    assert.ok(wide.high - wide.low > 5);
  });

  it("gives the same interval for the same data", () => {
    assert.deepEqual(bootstrapMedian([3, 1, 2, 5]), bootstrapMedian([3, 1, 2, 5]));
  });

  it("has no width for a single measurement, and refuses none", () => {
    assert.deepEqual(bootstrapMedian([4]), { median: 4, low: 4, high: 4 });
    assert.throws(() => bootstrapMedian([]), RangeError);
  });

  it("takes the median of an even number between the two in the middle", () => {
    assert.equal(median([4, 1, 3, 2]), 2.5);
  });
});
