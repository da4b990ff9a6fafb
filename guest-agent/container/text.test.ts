import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeText, encodeText } from "./text.ts";

test("valid text is UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      if (!text.isWellFormed()) return;
      assert.deepEqual(Buffer.from(encodeText(text)), Buffer.from(text, "utf8"));
      assert.equal(decodeText(Buffer.from(text, "utf8")), text);
    }),
  );
});

test("any bytes survive the way to text and back", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(encodeText(decodeText(bytes)), bytes)),
  );
});

test("bytes that are no text are lone surrogates", () => {
  assert.equal(decodeText(Uint8Array.of(0x61, 0xff, 0xc0, 0x80)), "a\udcff\udcc0\udc80");
});
