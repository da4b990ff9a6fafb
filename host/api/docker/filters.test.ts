import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DvmError } from "../../errors.ts";
import { Filters, fitsName } from "./filters.ts";

test("reads both forms of filters", () => {
  const list = Filters.parse('{"label":["a","b=1"]}', ["label"]);
  const set = Filters.parse('{"label":{"a":true,"b=1":true,"c":false}}', ["label"]);
  assert.deepEqual(list.get("label"), ["a", "b=1"]);
  assert.deepEqual(set.get("label"), ["a", "b=1"]);
});

test("wants every label, and any one of other values", () => {
  const filters = Filters.parse('{"label":["a","b=1"],"id":["x","y"]}', ["label", "id"]);
  assert.ok(filters.acceptsLabels({ a: "", b: "1" }));
  assert.ok(!filters.acceptsLabels({ a: "" }));
  assert.ok(!filters.acceptsLabels({ a: "", b: "2" }));
  assert.ok(filters.accepts("id", (value) => value === "y"));
  assert.ok(!filters.accepts("id", (value) => value === "z"));
});

test("refuses keys that are not known, and text that is no filter", () => {
  assert.throws(() => Filters.parse('{"colour":["red"]}', ["id"]), /invalid filter 'colour'/);
  for (const text of ["x", "[]", "1", "null", '{"id":1}', '{"id":[1]}', '{"id":null}']) {
    assert.throws(() => Filters.parse(text, ["id"]), DvmError, text);
  }
});

test("finds names by a part, by anchors and by patterns", () => {
  assert.ok(fitsName("web-1", "web"));
  assert.ok(fitsName("/web-1", "^/web"));
  assert.ok(!fitsName("web-1", "^/web"));
  assert.ok(fitsName("web-1", "^web-.$"));
  assert.ok(fitsName("web-12", "^w.*2$"));
  assert.ok(!fitsName("web-12", "^w.*3$"));
  assert.ok(!fitsName("web-12", "^web$"));
  assert.ok(fitsName("aab", "ab$"));
});

test("answers as a regular expression does for literal text with anchors and wildcards", () => {
  const part = fc.stringMatching(/^[ab.]{0,3}$/);
  const value = fc.tuple(
    fc.constantFrom("", "^"),
    fc.array(part, { minLength: 1, maxLength: 3 }),
    fc.constantFrom("", "$"),
  );
  fc.assert(
    fc.property(fc.stringMatching(/^[ab]{0,8}$/), value, (name, [start, parts, end]) => {
      const pattern = `${start}${parts.join(".*")}${end}`;
      // ".*" out of the parts themselves is a wildcard to both
      assert.equal(fitsName(name, pattern), new RegExp(pattern).test(name), `${name} ${pattern}`);
    }),
  );
});
