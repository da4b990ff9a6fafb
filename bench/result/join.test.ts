import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { joinResults } from "./join.ts";
import type { BenchResult } from "./result.ts";
import { sampleResult } from "./test-result.ts";

/** The sample with one scenario under another name. */
function named(name: string, title = name): BenchResult {
  const scenarios = sampleResult.scenarios.map((each) => ({ ...each, name, title }));
  return { ...sampleResult, scenarios };
}

describe("joinResults", () => {
  it("has all scenarios, and of one that was run twice the last", () => {
    const { scenarios } = joinResults([named("a"), named("b", "old"), named("b", "new")]);
    assert.deepEqual(
      scenarios.map(({ name, title }) => [name, title]),
      [
        ["a", "a"],
        ["b", "new"],
      ],
    );
  });

  it("keeps the proof of an arm that only one of the results needed", () => {
    const [proof] = sampleResult.arms;
    assert.ok(proof);
    const { control: _, ...rest } = proof;
    const without = { ...named("a"), arms: [{ ...rest, refusal: "not needed" }] };
    const { arms } = joinResults([without, named("b")]);
    assert.deepEqual(arms[0], proof);
    assert.equal(arms.length, sampleResult.arms.length);
  });

  it("refuses results of two machines, and of runs of two lengths", () => {
    const environment = { ...sampleResult.environment, cpus: 64 };
    for (const other of [
      { ...sampleResult, environment },
      { ...sampleResult, seconds: 9 },
    ])
      assert.throws(() => joinResults([sampleResult, other]), { code: "NOT_COMPARABLE" });
  });
});
