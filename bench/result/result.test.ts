import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareResults } from "./compare.ts";
import { parseResult, RESULT_VERSION } from "./result.ts";
import { sampleResult } from "./test-result.ts";

const copy = (): Record<string, unknown> => JSON.parse(JSON.stringify(sampleResult));

describe("parseResult", () => {
  it("reads what was written", () => {
    assert.deepEqual(parseResult(copy()), sampleResult);
  });

  it("names the field that is not what it must be", () => {
    const broken = JSON.stringify(sampleResult).replace('"median":3', '"median":"3"');
    assert.throws(
      () => parseResult(JSON.parse(broken)),
      /metrics\[0\]\.arms\[0\]\.summary\.median/,
    );
    assert.throws(() => parseResult({ ...copy(), more: 1 }), /result\.more/);
    assert.throws(() => parseResult([]), /wanted an object/);
  });

  it("refuses a version that it does not know", () => {
    assert.throws(() => parseResult({ ...copy(), version: RESULT_VERSION + 1 }), /result\.version/);
  });

  it("reads a comparison of version 1 as a scenario with one measure", () => {
    const { environment } = sampleResult;
    const summary = { n: 5, min: 1, median: 2, p95: 3, p99: 3, max: 4 };
    const old = {
      version: 1,
      name: "vm-fork",
      environment,
      unit: "ms",
      arms: [
        { name: "unshare true", summary },
        { name: "VM", summary },
      ],
      ratios: [{ name: "VM", summary }],
    };
    const [scenario] = parseResult(old).scenarios;
    assert.equal(scenario?.name, "vm-fork");
    assert.deepEqual(
      scenario?.metrics.map(({ unit, arms, ratios }) => [unit, arms.length, ratios[0]?.over]),
      [["ms", 2, "unshare true"]],
    );
  });
});

describe("compareResults", () => {
  const elsewhere = {
    ...sampleResult,
    environment: { ...sampleResult.environment, cpu: "another" },
  };

  it("tells a change from the spread", () => {
    const slower = JSON.stringify(sampleResult).replaceAll(
      '"min":2,"median":3,"p95":3.9',
      '"min":20,"median":30,"p95":39',
    );
    const text = compareResults(sampleResult, parseResult(JSON.parse(slower)), { force: false });
    assert.match(text, /start exit unshare +3\.?0* → 30\.?0* ms +10\.?0*× +worse/);
    assert.match(text, /start exit dvm-qemu-tcg .*within the spread/);
  });

  it("refuses results of two machines unless told, and says so then", () => {
    assert.throws(() => compareResults(sampleResult, elsewhere, { force: false }), {
      code: "NOT_COMPARABLE",
    });
    assert.match(
      compareResults(sampleResult, elsewhere, { force: true }),
      /DIFFERENT MACHINES: cpu/,
    );
  });

  it("refuses results with nothing in common", () => {
    const empty = { ...sampleResult, scenarios: [] };
    assert.throws(
      () => compareResults(sampleResult, empty, { force: false }),
      /no measure in common/,
    );
  });
});
