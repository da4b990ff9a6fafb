import assert from "node:assert/strict";
import { test } from "node:test";
import { nanosecondTime, parseTime } from "./time-text.ts";

const NOW = Date.parse("2024-01-02T00:00:00Z");
const time = (text: string) => parseTime("since", text, NOW);

test("reads seconds, dates and how long ago", () => {
  assert.equal(time("1700000000.000000001"), 1_700_000_000_000_000_001n);
  assert.equal(time("1.5"), 1_500_000_000n);
  const day = BigInt(NOW) * 1_000_000n;
  assert.equal(time("2024-01-02T00:00:00Z"), day);
  assert.equal(time("2024-01-02T01:00:00.5+01:00"), day + 500_000_000n);
  assert.equal(time("2024-01-02"), day);
  assert.equal(time("1h30m"), day - 5_400_000_000_000n);
});

test("takes nothing and zero for no bound", () => {
  assert.equal(time(""), undefined);
  assert.equal(time("0"), undefined);
});

test("refuses what is no time", () => {
  for (const text of ["x", "1.", "-1", "2024-13-01", "1w", "1e3", "9".repeat(400)]) {
    assert.throws(() => time(text), /invalid value for since/, text);
  }
});

test("writes nine decimals", () => {
  assert.equal(nanosecondTime(1_700_000_000_000_000_001n), "2023-11-14T22:13:20.000000001Z");
});
