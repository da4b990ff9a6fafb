import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseMemorySize, parseSwapSize } from "./memory-size.ts";

describe("memory sizes", () => {
  const taken: [string, number][] = [
    ["0", 0],
    ["1024", 1024],
    ["6b", 6],
    ["512m", 512 * 2 ** 20],
    ["1.5g", 1.5 * 2 ** 30],
    [".5k", 512],
    ["2GB", 2 * 2 ** 30],
    ["2GiB", 2 * 2 ** 30],
    ["3 m", 3 * 2 ** 20],
    ["1t", 2 ** 40],
  ];
  for (const [text, bytes] of taken) {
    it(`${text} is ${bytes} bytes`, () => assert.equal(parseMemorySize(text), bytes));
  }

  const refused: [string, string][] = [
    ["abc", "invalid size: 'abc'"],
    ["", "invalid size: ''"],
    ["-1", "invalid size: '-1'"],
    ["1e3", "invalid size: '1e3'"],
    ["99999999p", "invalid size: '99999999p'"],
    ["1x", "invalid suffix: 'x'"],
    ["1ib", "invalid suffix: 'ib'"],
    ["1kk", "invalid suffix: 'kk'"],
  ];
  for (const [text, message] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseMemorySize(text), { message }));
  }

  it("have -1 for no limit where swap is meant", () => {
    assert.equal(parseSwapSize("-1"), -1);
    assert.equal(parseSwapSize("1g"), 2 ** 30);
    assert.throws(() => parseSwapSize("-2"), { message: "invalid size: '-2'" });
  });

  it("of whole numbers with a unit are exact", () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.constantFrom("b", "k", "M", "g", "KiB"), (count, unit) => {
        const power = "bkmg".indexOf(unit.charAt(0).toLowerCase());
        assert.equal(parseMemorySize(`${count}${unit}`), count * 1024 ** power);
      }),
    );
  });
});
