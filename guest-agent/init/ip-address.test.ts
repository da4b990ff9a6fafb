import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseIpAddress } from "./ip-address.ts";

const hex = (text: string) => Buffer.from(parseIpAddress(text) ?? []).toString("hex");

describe("parseIpAddress", () => {
  it("reads both families", () => {
    assert.equal(hex("10.0.2.15"), "0a00020f");
    assert.equal(hex("fd00::2"), "fd000000000000000000000000000002");
    assert.equal(hex("::"), "0".repeat(32));
    assert.equal(hex("1:2:3:4:5:6:7:8"), "00010002000300040005000600070008");
  });

  it("takes every address that fast-check makes", () => {
    const plain = fc.ipV6().filter((text) => !text.includes("."));
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), plain), (text) => parseIpAddress(text) !== undefined),
    );
  });

  it("takes nothing that Node refuses", () => {
    const near = fc.string({ unit: fc.constantFrom(..."0123456789abcf.:"), maxLength: 20 });
    fc.assert(
      fc.property(
        near,
        (text) => parseIpAddress(text) === undefined || isIP(text.replace(/\b0+(?=\d)/g, "")) !== 0,
      ),
    );
  });

  it("refuses what is no address", () => {
    for (const text of [
      "",
      "1.2.3",
      "1.2.3.256",
      "1.2.3.4.5",
      "1::2::3",
      "12345::",
      "1:2:3:4:5:6:7",
      "g::",
    ]) {
      assert.equal(parseIpAddress(text), undefined, text);
    }
  });
});
