import assert from "node:assert/strict";
import { test } from "node:test";
import { Query } from "./query.ts";

const query = (text: string) => new Query(new URLSearchParams(text));

test("takes nothing, 0, no, false and none for false, and all else for true", () => {
  for (const text of ["", "a", "a=", "a=0", "a=no", "a=False", "a=NONE", "a=%20false%20"]) {
    assert.equal(query(text).flag("a"), false, text);
  }
  for (const text of ["a=1", "a=true", "a=yes", "a=x"]) {
    assert.equal(query(text).flag("a"), true, text);
  }
});

test("tells a switch that is absent from one that is off", () => {
  assert.equal(query("").flagOr("a", true), true);
  assert.equal(query("a=0").flagOr("a", true), false);
});

test("refuses a number that is none", () => {
  assert.equal(query("t=-1").integer("t"), -1);
  assert.equal(query("t=").integer("t"), undefined);
  for (const text of ["t=x", "t=1.5", "t=1e3", "t=99999999999999999999"]) {
    assert.throws(() => query(text).integer("t"), /invalid value for t/);
  }
});
