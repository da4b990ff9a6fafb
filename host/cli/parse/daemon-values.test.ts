import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { checkCount } from "./common-flags.ts";
import { parseDuration } from "./duration.ts";
import { parseRestartPolicy } from "./restart-policy.ts";

describe("durations", () => {
  for (const [text, nanoseconds] of [
    ["0", 0],
    ["30s", 30e9],
    ["1h30m", 5400e9],
    ["1.5s", 1.5e9],
    [".5ms", 5e5],
    ["100us", 1e5],
    ["7ns", 7],
  ] as const)
    it(`${text} is ${nanoseconds} ns`, () => assert.equal(parseDuration(text), nanoseconds));

  for (const text of ["", "3", "s", "1d", "1s ", "-1s", "1.2.3s", "9999999999h"])
    it(`${JSON.stringify(text)} is none`, () =>
      assert.throws(() => parseDuration(text), /invalid duration/));

  it("of any text are numbers or refused", () => {
    const text = fc.string({ unit: fc.constantFrom(..."0123456789.hmsnuµ ") });
    fc.assert(
      fc.property(text, (each) => {
        try {
          assert.ok(parseDuration(each) >= 0);
        } catch (error) {
          assert.match((error as Error).message, /invalid duration/);
        }
      }),
    );
  });
});

describe("restart policies", () => {
  for (const [text, name, maximumRetryCount] of [
    ["", "no", 0],
    ["no", "no", 0],
    ["always", "always", 0],
    ["unless-stopped", "unless-stopped", 0],
    ["on-failure", "on-failure", 0],
    ["on-failure:5", "on-failure", 5],
    ["always:0", "always", 0],
  ] as const)
    it(`${text || "nothing"} is ${name}`, () =>
      assert.deepEqual(parseRestartPolicy(text), { name, maximumRetryCount }));

  for (const text of ["sometimes", "always:3", "on-failure:x", "on-failure:1:2", "on-failure:-1"])
    it(`${text} is none`, () => assert.throws(() => parseRestartPolicy(text), /invalid restart/));
});

it("counts of arguments are told in Docker's words", () => {
  const said = (count: number, bounds: { least?: number; most?: number }): string => {
    try {
      checkCount(Array(count).fill("x"), "verb", bounds);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.equal(said(1, {}), "'dvm verb' accepts no arguments");
  assert.equal(said(0, { least: 1 }), "'dvm verb' requires 1 argument");
  assert.equal(said(1, { least: 2 }), "'dvm verb' requires 2 arguments");
  assert.equal(said(0, { least: 1, most: Infinity }), "'dvm verb' requires at least 1 argument");
  assert.equal(
    said(3, { least: 1, most: 2 }),
    "'dvm verb' requires at least 1 and at most 2 arguments",
  );
  assert.equal(said(2, { most: 1 }), "'dvm verb' requires at most 1 argument");
  assert.equal(said(5, { least: 1, most: Infinity }), "");
});
