import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { interleave } from "./interleave.ts";

describe("interleave", () => {
  it("takes the arms in turn, leaves the warm-up out, and pairs the ratios", async () => {
    const order: string[] = [];
    const arm = (name: string, values: number[]) => ({
      name,
      once: async () => {
        order.push(name);
        return values.shift() ?? Number.NaN;
      },
    });
    const result = await interleave([arm("floor", [99, 1, 2, 4]), arm("dvm", [99, 3, 4, 4])], 3);
    assert.equal(order.join(" "), "floor dvm floor dvm floor dvm floor dvm");
    assert.deepEqual(
      result.ratios.map(({ name, summary }) => [name, summary.min, summary.median, summary.max]),
      [["dvm", 1, 2, 3]],
    );
  });
});
