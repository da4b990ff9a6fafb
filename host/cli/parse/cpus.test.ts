import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseCpus } from "./cpus.ts";

describe("a number of CPUs", () => {
  const taken: [string, number][] = [
    ["1", 1e9],
    ["1.5", 1.5e9],
    [".25", 0.25e9],
    ["1/2", 0.5e9],
    ["0.000000001", 1],
    ["-1", -1e9],
    ["1e-3", 1e6],
    ["2e1", 20e9],
  ];
  for (const [text, nano] of taken) {
    it(`${text} is ${nano} billionths`, () => assert.equal(parseCpus(text), nano));
  }

  for (const text of ["abc", "", ".", "1/0", "1.5/2", "1/2/3", "0x1", "1e999"]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseCpus(text), {
        message: `failed to parse ${text} as a rational number`,
      }));
  }

  for (const text of ["0.000000001234", "1/3"]) {
    it(`refuses ${text} as too precise`, () =>
      assert.throws(() => parseCpus(text), { message: "value is too precise" }));
  }

  it("with up to nine decimals is exact", () => {
    fc.assert(
      fc.property(fc.nat(64), fc.nat(999_999_999), (whole, rest) => {
        const text = `${whole}.${String(rest).padStart(9, "0")}`;
        assert.equal(parseCpus(text), whole * 1e9 + rest);
      }),
    );
  });
});
