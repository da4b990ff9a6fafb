import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PoolPlan } from "./pool-plan.ts";

function planOf(size: number, ...keys: string[]): PoolPlan<string> {
  const plan = new PoolPlan<string>(size);
  for (const key of keys) plan.note(key, `shape of ${key}`);
  return plan;
}

describe("PoolPlan", () => {
  it("wants a spare for each of the last starts, that of the newest first", () => {
    const plan = planOf(3, "a", "b", "a");
    assert.equal(plan.next([])?.key, "a");
    assert.equal(plan.next(["a"])?.key, "b");
    assert.equal(plan.next(["b", "a"])?.shape, "shape of a");
    assert.equal(plan.next(["a", "a", "b"]), undefined);
  });

  it("forgets a shape that did not come again", () => {
    const plan = planOf(1, "a", "b", "b");
    assert.deepEqual(plan.surplus(["a"]), [0]);
    assert.equal(plan.next([])?.key, "b");
  });

  it("keeps what it has where two shapes take turns", () => {
    const plan = planOf(1, "a");
    for (const key of ["b", "a", "b"]) {
      plan.note(key, key);
      assert.deepEqual(plan.surplus(["a"]), []);
      assert.equal(plan.next(["a"]), undefined);
    }
  });

  it("calls more spares of a shape than there were starts surplus", () => {
    assert.deepEqual(planOf(2, "a", "b").surplus(["a", "a", "b"]), [1]);
  });

  it("wants nothing without a place, or of a shape that has no template", () => {
    assert.equal(planOf(0, "a").next([]), undefined);
    const plan = planOf(2, "a", "b");
    plan.forget("b");
    assert.equal(plan.next(["a"]), undefined);
  });
});
