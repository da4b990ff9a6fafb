import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { QuestionLimit } from "./question-limit.ts";

/** How many of so many questions, each answered at once, are admitted. */
function answered(limit: QuestionLimit, client: string, count: number): number {
  let admitted = 0;
  for (let asked = 0; asked < count; asked++) {
    using question = limit.admit(client);
    if (question !== undefined) admitted++;
  }
  return admitted;
}

describe("the limit of questions", () => {
  it("answers a flood in part, and who does not flood in full", () => {
    let now = 0;
    const limit = new QuestionLimit(() => now);
    assert.equal(answered(limit, "10.0.0.2", 100_000), 1000);
    assert.equal(answered(limit, "10.0.0.3", 1000), 1000);
    now += 1000;
    assert.equal(answered(limit, "10.0.0.2", 100_000), 500);
    // what was not asked is not saved up for ever
    now += 3_600_000;
    assert.equal(answered(limit, "10.0.0.2", 100_000), 1000);
  });

  it("lets no client have all its questions under way", () => {
    const limit = new QuestionLimit(() => 0);
    const open = Array.from({ length: 200 }, () => limit.admit("10.0.0.2")).filter(Boolean);
    assert.equal(open.length, 128);
    assert.notEqual(limit.admit("10.0.0.3"), undefined);
    open[0]?.[Symbol.dispose]();
    assert.notEqual(limit.admit("10.0.0.2"), undefined);
    assert.equal(limit.admit("10.0.0.2"), undefined);
  });
});
