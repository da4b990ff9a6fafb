import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Arm, Lacking } from "../arms/arm.ts";
import { type Measures, plainSession, type Scenario, type Stage } from "../scenarios/scenario.ts";
import { runScenario } from "./run-scenario.ts";

const arm = (name: string): Arm => ({
  name,
  title: name,
  isolation: "namespaces",
  images: "unpacked",
  how: "",
  refusal: async () => undefined,
  open: () => Promise.reject(new Error("nothing to open")),
});

/** A scenario whose arms give what a table says, round by round; an error is thrown. */
function scenario(table: Record<string, readonly (Measures | Error)[]>, order: string[]): Scenario {
  return {
    name: "s",
    title: "S",
    question: "?",
    tools: [],
    rounds: 2,
    usual: true,
    arms: "all",
    metrics: [
      { name: "time", title: "time", unit: "ms", better: "lower", how: "" },
      { name: "phase", title: "phases", unit: "ms", better: "lower", how: "", items: "phase" },
    ],
    open: async (stage) => {
      const rows = table[stage.arm.name];
      if (rows === undefined) throw new Lacking("it has none");
      const left = [...rows];
      return plainSession(async () => {
        order.push(stage.arm.name);
        const next = left.shift();
        if (next instanceof Error) throw next;
        return next ?? {};
      });
    },
  };
}

async function run(table: Record<string, readonly (Measures | Error)[]>, order: string[] = []) {
  return await runScenario(scenario(table, order), {
    arms: ["a", "b", "c"].map(arm),
    rounds: 2,
    rest: 0,
    image: "",
    stage: (of) => ({ arm: of }) as Stage,
    say: () => {},
  });
}

describe("runScenario", () => {
  it("makes an arm with machines one for each of their sources, where the scenario tells them apart", async () => {
    const seen: unknown[] = [];
    const { metrics } = await runScenario(
      { ...scenario({ a: [], b: [] }, []), sources: ["clone", "boot"], warmUp: false },
      {
        arms: [arm("a"), { ...arm("b"), isolation: "vm" }],
        rounds: 1,
        rest: 0,
        image: "",
        stage: (of, source) => {
          seen.push([of.name, source]);
          return { arm: of } as Stage;
        },
        say: () => {},
      },
    );
    assert.deepEqual(metrics, []);
    assert.deepEqual(seen, [
      ["a", undefined],
      ["b", "clone"],
      ["b", "boot"],
    ]);
  });

  it("takes arms in turn, forwards and backwards, leaves the warm-up out, and pairs each arm with those before it", async () => {
    const order: string[] = [];
    const times = (...values: number[]) => values.map((time) => ({ time }));
    const { metrics } = await run(
      { a: times(99, 1, 2), b: times(99, 2, 4), c: times(99, 4, 8) },
      order,
    );
    assert.equal(order.join(""), "abccbaabc");
    assert.deepEqual(
      metrics[0]?.arms.map(({ values }) => values),
      [
        [1, 2],
        [2, 4],
        [4, 8],
      ],
    );
    assert.deepEqual(
      metrics[0]?.ratios.map(({ arm: of, over, n, interval }) => [of, over, n, interval.median]),
      [
        ["b", "a", 2, 2],
        ["c", "a", 2, 4],
        ["c", "b", 2, 2],
      ],
    );
  });

  it("keeps the reason of an arm that lacks or fails, and no figure of it", async () => {
    const { metrics, lacking } = await run({
      a: [{ time: 1 }, { time: 1 }, { time: 1 }],
      b: [{ time: 1 }, { time: 1 }, new Error("broke")],
    });
    assert.deepEqual(
      metrics[0]?.arms.map(({ arm: of }) => of),
      ["a"],
    );
    assert.deepEqual(lacking, [
      { arm: "c", reason: "it has none" },
      { arm: "b", reason: "broke" },
    ]);
  });

  it("gives no ratio of what can be less than nothing", async () => {
    const rounds = (...times: number[]) => times.map((time) => ({ time }));
    const { metrics } = await run({ a: rounds(1, 1, -1), b: rounds(1, 2, 2), c: rounds(1, 4, 8) });
    assert.deepEqual(
      metrics[0]?.ratios.map(({ arm: of, over }) => [of, over]),
      [["c", "b"]],
    );
  });

  it("gives each item of a family a place, and none to a measure that some round lacks", async () => {
    const { metrics } = await run({
      a: [{}, { "phase:boot": 1, time: 1 }, { "phase:boot": 3 }],
    });
    assert.deepEqual(
      metrics.filter(({ arms }) => arms.length > 0).map(({ name, family }) => [name, family?.item]),
      [["phase:boot", "boot"]],
    );
  });
});
