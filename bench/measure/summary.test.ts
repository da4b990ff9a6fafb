import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { summarise } from "./summary.ts";

describe("summarise", () => {
  it("gives ranks, interpolated between neighbours", () => {
    const values = Array.from({ length: 101 }, (_, i) => 100 - i);
    assert.deepEqual(summarise(values), { n: 101, min: 0, median: 50, p95: 95, p99: 99, max: 100 });
    assert.equal(summarise([1, 2]).median, 1.5);
  });

  it("refuses an empty row", () => {
    assert.throws(() => summarise([]), RangeError);
  });
});
