import assert from "node:assert/strict";
import { test } from "node:test";
import { idMapArguments, parseSubordinate } from "./id-map.ts";

const user = { uid: 1000, name: "me" };

test("a user's first range is taken, by name or by number", () => {
  const text = "you:100000:65536\nme:200000:65536\nme:300000:10\n";
  assert.deepEqual(parseSubordinate(text, user), { first: 200_000, count: 65_536 });
  assert.deepEqual(parseSubordinate("1000:5:6", user), { first: 5, count: 6 });
});

test("lines that are none are passed over", () => {
  for (const text of ["", "me", "me:x:1", "me:1:0", "me:1:-1", "mee:1:2", "#me:1:2"]) {
    assert.equal(parseSubordinate(text, user), undefined, text);
  }
});

test("root's servers have the host's own users", () => {
  assert.deepEqual(idMapArguments(0), []);
  assert.ok(idMapArguments(4_000_000).includes("--map-root-user"));
});
