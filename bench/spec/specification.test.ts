import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { SPECIFICATION } from "../paths.ts";
import { sampleResult } from "../result/test-result.ts";
import { allScenarios } from "../scenarios/all-scenarios.ts";
import { howTo, specificationTable } from "./compare-to-specification.ts";
import { readSpecification } from "./specification.ts";

const HEAD = "| promise | bound | scenario | metric | arm | over |\n|---|---|---|---|---|---|\n";

describe("readSpecification", () => {
  it("reads the rows of the table and nothing around it", () => {
    const text = `# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n${HEAD}| fast | at most 1.5 ms | \`start\` | exit | dvm | |\n`;
    assert.deepEqual(readSpecification(text), [
      {
        promise: "fast",
        bound: "at most",
        value: 1.5,
        unit: "ms",
        scenario: "start",
        metric: "exit",
        arm: "dvm",
      },
    ]);
  });

  it("names a row that it cannot read", () => {
    const row = "| fast | about 3 ms | start | exit | dvm | |";
    assert.throws(() => readSpecification(HEAD + row), /cannot be read: fast/);
    assert.throws(() => readSpecification("no table"), /no table/);
  });

  it("reads the project's own, whose scenarios and measures exist", () => {
    const promises = readSpecification(readFileSync(SPECIFICATION, "utf8"));
    assert.ok(promises.length > 10);
    for (const promise of promises) {
      const { scenario, metric } = promise;
      const found = allScenarios.find(({ name }) => name === scenario);
      if (found === undefined) assert.match(howTo(promise), /^node bench\/[a-z-]+\.ts$/);
      else
        assert.ok(
          found.metrics.some(({ name, items }) => name === (items ? metric.split(":")[0] : metric)),
          `${scenario} ${metric}`,
        );
    }
  });
});

describe("specificationTable", () => {
  const promise = (bound: string, over = "") =>
    readSpecification(`${HEAD}| p | ${bound} | start | exit | dvm-qemu | ${over} |\n`);

  it("says whether a promise is kept, by the ratio or by the figure", () => {
    assert.match(specificationTable(promise("at most 120 ×", "unshare"), [sampleResult]), /^kept/);
    assert.match(
      specificationTable(promise("at most 100 ×", "unshare"), [sampleResult]),
      /^missed /,
    );
    assert.match(
      specificationTable(promise("at least 300 ms"), [sampleResult]),
      /^kept.*\n.*330 ms/,
    );
  });

  it("says what would measure it when nothing has", () => {
    assert.match(specificationTable(promise("at most 1 ms"), []), /not measured: dvm bench start/);
    assert.match(specificationTable(promise("at most 1 s"), [sampleResult]), /not measured/);
  });

  it("takes a bound with a unit over another arm as one of the difference", () => {
    assert.match(
      specificationTable(promise("at most 330 ms", "unshare"), [sampleResult]),
      /^kept.*\n.*327 ms/,
    );
  });

  it("takes the difference of the medians where a result keeps no rounds", () => {
    const scenarios = sampleResult.scenarios.map((scenario) => ({
      ...scenario,
      metrics: scenario.metrics.map((metric) => ({
        ...metric,
        arms: metric.arms.map((arm) => ({ ...arm, values: [] })),
      })),
    }));
    assert.match(
      specificationTable(promise("at most 330 ms", "unshare"), [{ ...sampleResult, scenarios }]),
      /^kept.*\n.*327 ms/,
    );
  });

  it("takes the newest result that has the figure", () => {
    const empty = { ...sampleResult, scenarios: [] };
    assert.match(specificationTable(promise("at most 500 ms"), [empty, sampleResult]), /^kept/);
  });
});
