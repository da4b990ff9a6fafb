import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DvmError } from "../../errors.ts";
import { anyBody, fittingBody } from "./arbitrary-body.ts";
import { createBody } from "./create-body.ts";
import { boolean, integer, list, map, object, optional, readBySchema, string } from "./schema.ts";

const sample = object({
  Name: string,
  Count: integer,
  On: boolean,
  Words: list(string),
  Labels: map(string),
  Maybe: optional(integer),
});

test("gives fields that are absent or null their zero value", () => {
  const zero = { Name: "", Count: 0, On: false, Words: [], Labels: {}, Maybe: undefined };
  assert.deepEqual(readBySchema(sample, {}), zero);
  assert.deepEqual(readBySchema(sample, { Name: null, Words: null, Labels: null }), zero);
});

test("tells an absent pointer from one to the zero value", () => {
  assert.equal(readBySchema(sample, { Maybe: 0 }).Maybe, 0);
});

test("finds fields whatever their case, and skips unknown ones", () => {
  const read = readBySchema(sample, { name: "a", COUNT: 2, Colour: "red" });
  assert.equal(read.Name, "a");
  assert.equal(read.Count, 2);
  assert.ok(!("Colour" in read));
});

test("refuses a value of another type, and names its field", () => {
  const refused = (value: unknown, message: RegExp) =>
    assert.throws(
      () => readBySchema(sample, value),
      (error) =>
        error instanceof DvmError && error.code === "BAD_REQUEST" && message.test(error.message),
    );
  refused({ Count: "2" }, /field Count/);
  refused({ Count: 1.5 }, /field Count/);
  refused({ Count: 1e300 }, /field Count/);
  refused({ Words: ["a", 1] }, /field Words\[1\]/);
  refused({ Labels: { a: {} } }, /field Labels\.a/);
  refused([], /the body/);
  refused("text", /the body/);
});

test("keeps a label by the name of __proto__ as a label", () => {
  const read = readBySchema(sample, JSON.parse('{"Labels":{"__proto__":"x"}}'));
  assert.deepEqual(Object.entries(read.Labels), [["__proto__", "x"]]);
});

test("takes every body that fits, and of others throws nothing but a refusal", () => {
  fc.assert(
    fc.property(fittingBody(createBody), (body) => {
      readBySchema(createBody, body);
    }),
  );
  fc.assert(
    fc.property(anyBody(createBody), (body) => {
      try {
        readBySchema(createBody, body);
      } catch (error) {
        assert.ok(error instanceof DvmError && error.code === "BAD_REQUEST");
      }
    }),
  );
});
