import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseNetworkRate } from "./network-rate.ts";

describe("--network-rate", () => {
  it("is for both directions, or for those that are named", () => {
    assert.deepEqual(parseNetworkRate("10mbit"), { in: 10e6, out: 10e6 });
    assert.deepEqual(parseNetworkRate("in=1.5gbit,out=500Kbit"), { in: 1.5e9, out: 500e3 });
    assert.deepEqual(parseNetworkRate("out=100000bit"), { out: 100e3 });
  });

  it("is refused without a unit, out of bounds, and twice", () => {
    for (const text of [
      "",
      "10",
      "10mb",
      "1kbit",
      "101gbit",
      "-1mbit",
      "in=1mbit,in=2mbit",
      "up=1mbit",
      "in=",
    ]) {
      assert.throws(() => parseNetworkRate(text), { code: "NETWORK_INVALID" }, text);
    }
  });
});
