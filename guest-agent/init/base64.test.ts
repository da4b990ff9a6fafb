import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeBase64 } from "./base64.ts";

describe("decodeBase64", () => {
  it("undoes what Node encodes", () => {
    const property = fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(decodeBase64(Buffer.from(bytes).toString("base64")), Uint8Array.from(bytes));
    });
    fc.assert(property);
  });

  it("refuses what is no base64", () => {
    for (const text of ["A", "AAA", "AA=A", "A===", "AA A", "AA-_"]) {
      assert.equal(decodeBase64(text), undefined, text);
    }
  });
});
