import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type BenchResult, parseResult } from "../result/result.ts";
import { sampleResult } from "../result/test-result.ts";
import { htmlPage } from "./html.ts";
import { markdownPage } from "./markdown.ts";
import { forestPlot } from "./plots/forest.ts";
import { makeScale } from "./plots/scale.ts";
import { costs, warnings } from "./story.ts";
import { textTable } from "./text.ts";

const html = htmlPage(sampleResult);

/** The plots, each as its own text. */
const plots = html.match(/<svg.*?<\/svg>/gs) ?? [];

describe("htmlPage", () => {
  it("has every kind of plot, and each has two axes with their units", () => {
    const kinds = new Set(plots.map((plot) => /class="plot (\w+)"/.exec(plot)?.[1]));
    assert.deepEqual([...kinds].sort(), ["bars", "forest", "lines", "strip"]);
    for (const plot of plots) {
      assert.equal(plot.match(/class="axis /g)?.length, 2, plot);
      assert.equal(plot.match(/data-unit="[^"]+"/g)?.length, 2, plot);
      assert.match(plot, /class="axis-title"[^>]*>[^<]+\[[^<]+\]</);
    }
  });

  it("draws what dvm costs over several bases in one plot, each in its colour and with its figure", () => {
    const point = (of: string, median: number) =>
      [of, { class: `c-${of}`, median, low: median / 2, high: median * 2 }] as const;
    const drawn = forestPlot({
      title: "cost",
      bases: [
        { name: "unshare", class: "c-unshare" },
        { name: "podman", class: "c-podman" },
      ],
      rows: [
        {
          group: "start",
          name: "exit",
          points: new Map([point("unshare", 8), point("podman", 2)]),
        },
        { group: "start", name: "first", points: new Map([point("podman", 3)]) },
      ],
    });
    assert.deepEqual(drawn.match(/<g class="row [^"]+"/g), [
      '<g class="row c-unshare"',
      '<g class="row c-podman"',
      '<g class="row c-podman"',
    ]);
    assert.equal(drawn.match(/class="group"/g)?.length, 1);
    for (const figure of [">8×<", ">2×<", ">3×<"]) assert.match(drawn, new RegExp(figure));
  });

  it("loads nothing and runs nothing", () => {
    assert.doesNotMatch(html, /<script|<link|<img|@import|url\(|https?:/);
  });

  it("writes what a machine or a tool says as text", () => {
    assert.match(html, /A CPU &lt;with&gt; &amp; signs/);
    assert.match(html, /says &lt;b&gt;no&lt;\/b&gt;/);
    assert.doesNotMatch(html, /<b>no<\/b>/);
  });

  it("has the same elements and tables whatever words a result brings", () => {
    const elements = (text: string): number => text.split(/[<>]/).length;
    const tables = (text: string): readonly string[] =>
      text.split("\n").filter((line) => line.startsWith("|"));
    // a backslash takes the character behind it with it
    const cells = (text: string): readonly number[] =>
      tables(text).map((line) => line.replaceAll(/\\./g, "").split("|").length);
    const worded = (words: string): BenchResult => {
      const [scenario] = sampleResult.scenarios;
      const lacking = [{ arm: "crun", reason: words }];
      return {
        ...sampleResult,
        environment: { ...sampleResult.environment, cpu: words },
        arms: sampleResult.arms.map((arm) => ({ ...arm, how: words })),
        scenarios: scenario === undefined ? [] : [{ ...scenario, title: words, lacking }],
      };
    };
    const plain = worded("word");
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."<>&|\\\"'`\n a") }), (words) => {
        const result = worded(words);
        // backquotes mark code
        const marks = 4 * (words.split("`").length - 1);
        assert.ok(elements(htmlPage(result)) - elements(htmlPage(plain)) <= marks * 6);
        assert.deepEqual(cells(markdownPage(result)), cells(markdownPage(plain)));
      }),
      { numRuns: 60 },
    );
  });

  it("has no coordinate that is no number", () => {
    assert.doesNotMatch(html, /NaN|Infinity|undefined/);
  });

  it("says that emulation is emulation, and why an arm did not run", () => {
    assert.match(html, /is emulation: QEMU translates/);
    assert.match(html, /did not run: not installed/);
  });

  it("stands for a result without figures", () => {
    const empty = { ...sampleResult, arms: [], scenarios: [] };
    assert.doesNotMatch(htmlPage(empty), /NaN|undefined/);
  });
});

describe("markdownPage", () => {
  it("has the page's figures, and keeps its tables whole", () => {
    const markdown = markdownPage(sampleResult);
    assert.match(markdown, /\| dvm, QEMU \(TCG\) \| 3 \| 200 \| 330 \| /);
    assert.match(markdown, /says &lt;b>no&lt;\/b> \\\| and more/);
  });
});

describe("textTable", () => {
  it("has a line for each arm, with the ratio over the first", () => {
    assert.match(
      textTable(sampleResult),
      /dvm-qemu-tcg +n 3 .*median +330 .*110× \(100× to 120×\)/,
    );
  });
});

describe("costs", () => {
  it("turns the ratio of a measure round of which more is better", () => {
    const found = costs(sampleResult).map(({ metric, cost }) => [
      metric.name,
      Math.round(cost.median),
    ]);
    assert.deepEqual(found, [
      ["exit", 110],
      ["speed", 10],
    ]);
  });
});

describe("warnings", () => {
  it("tells of a load that others made", () => {
    const environment = { ...sampleResult.environment, load: 3 };
    const busy = parseResult({ ...sampleResult, environment });
    assert.ok(warnings(busy).some((warning) => warning.includes("other work")));
    assert.ok(!warnings(sampleResult).some((warning) => warning.includes("other work")));
  });
});

describe("makeScale", () => {
  it("is linear from zero, and logarithmic where a linear one would hide the small", () => {
    const linear = makeScale({ values: [5, 8], from: 0, to: 100 });
    assert.deepEqual([linear.kind, linear.at(0), linear.ticks.at(-1)], ["linear", 0, 8]);
    const logarithmic = makeScale({ values: [1, 1000], from: 0, to: 300 });
    assert.equal(logarithmic.kind, "logarithmic");
    assert.deepEqual([1, 10, 1000].map(logarithmic.at).map(Math.round), [0, 100, 300]);
  });

  it("keeps every value within its ends", () => {
    for (const values of [[0], [0, 0], [-3, 4], [0.001, 5], [7, 7], [1e-9, 1e9]]) {
      const { at } = makeScale({ values, from: 10, to: 20 });
      for (const value of values) assert.ok(at(value) >= 9.999 && at(value) <= 20.001, `${values}`);
    }
  });
});
