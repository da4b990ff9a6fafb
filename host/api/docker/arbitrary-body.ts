/** For tests: bodies that a schema takes, and bodies that it may not, as fast-check makes them. */

import fc from "fast-check";
import type { Schema } from "./schema.ts";

/** Values that fit the schema. */
export function fittingBody(schema: Schema): fc.Arbitrary<unknown> {
  switch (schema.kind) {
    case "any":
      return fc.jsonValue();
    case "string":
      return fc.string();
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.oneof(fc.constantFrom(0, -1, 1), fc.integer(), fc.maxSafeInteger());
    case "number":
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case "optional":
      return fc.oneof(fc.constant(null), fittingBody(schema.of));
    case "list":
      return fc.array(fittingBody(schema.of), { maxLength: 3 });
    case "map":
      return fc.dictionary(fc.string(), fittingBody(schema.of), { maxKeys: 3 });
    case "object":
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.fields).map(([name, field]) => [name, fittingBody(field)]),
        ),
        { requiredKeys: [] },
      );
  }
}

/** Values that fit but for some field of another type, or that are something else altogether. */
export function anyBody(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.kind !== "object") return fc.jsonValue();
  const fields = Object.entries(schema.fields).map(([name, field]) => [
    name,
    fc.oneof({ weight: 12, arbitrary: fittingBody(field) }, fc.jsonValue()),
  ]);
  const nearly = fc.record(Object.fromEntries(fields), { requiredKeys: [] });
  return fc.oneof({ weight: 8, arbitrary: nearly }, fc.jsonValue());
}
