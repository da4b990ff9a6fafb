/**
 * Shapes of JSON bodies, read by Go's rules as Docker's clients expect them: a field that is absent or null has
 * its zero value, unknown fields are skipped, names match whatever their case. A schema is plain data, so that
 * tests can make bodies from it.
 */

import { apiError } from "./errors.ts";

export type Schema =
  | { readonly kind: "string" | "integer" | "number" | "boolean" | "any" }
  | { readonly kind: "optional"; readonly of: Schema }
  | { readonly kind: "list" | "map"; readonly of: Schema }
  | { readonly kind: "object"; readonly fields: Readonly<Record<string, Schema>> };

/** The TypeScript type of what a schema reads. */
export type Infer<S> = S extends { readonly kind: "string" }
  ? string
  : S extends { readonly kind: "integer" | "number" }
    ? number
    : S extends { readonly kind: "boolean" }
      ? boolean
      : S extends { readonly kind: "any" }
        ? unknown
        : S extends { readonly kind: "optional"; readonly of: infer T }
          ? Infer<T> | undefined
          : S extends { readonly kind: "list"; readonly of: infer T }
            ? readonly Infer<T>[]
            : S extends { readonly kind: "map"; readonly of: infer T }
              ? Readonly<Record<string, Infer<T>>>
              : S extends { readonly kind: "object"; readonly fields: infer F }
                ? { readonly [K in keyof F]: Infer<F[K]> }
                : never;

export const string = { kind: "string" } as const;
export const integer = { kind: "integer" } as const;
export const boolean = { kind: "boolean" } as const;
/** Anything: for fields that are only looked at for being there. */
export const any = { kind: "any" } as const;
/** Go's pointers: absent and null are told from the zero value. */
export const optional = <const S extends Schema>(of: S) => ({ kind: "optional", of }) as const;
export const list = <const S extends Schema>(of: S) => ({ kind: "list", of }) as const;
export const map = <const S extends Schema>(of: S) => ({ kind: "map", of }) as const;
export const object = <const F extends Readonly<Record<string, Schema>>>(fields: F) =>
  ({ kind: "object", fields }) as const;

/** Items of a list or fields of a map; more is refused. */
const MAX_ITEMS = 100_000;
/** Bounds of Go's int64; JSON numbers beyond 2^53 lose their last digits, which no limit minds. */
const INT64_BOUND = 2 ** 63;

/** Reads a parsed JSON value by a schema. @throws DvmError `BAD_REQUEST` that names the field */
export function readBySchema<const S extends Schema>(schema: S, value: unknown): Infer<S> {
  // the cases of `read` and of `Infer` are the same ones
  return read(schema, value, "") as Infer<S>;
}

function read(schema: Schema, value: unknown, path: string): unknown {
  switch (schema.kind) {
    case "any":
      return value ?? undefined;
    case "optional":
      return value === undefined || value === null ? undefined : read(schema.of, value, path);
    case "string":
      return scalar(value, { zero: "", path, fits: (given) => typeof given === "string" });
    case "boolean":
      return scalar(value, { zero: false, path, fits: (given) => typeof given === "boolean" });
    case "number":
      return scalar(value, { zero: 0, path, fits: (given) => typeof given === "number" });
    case "integer":
      return scalar(value, { zero: 0, path, fits: isInt64 });
    case "list":
      return readList(schema.of, value, path);
    case "map":
      return readMap(schema.of, value, path);
    case "object":
      return readObject(schema.fields, value, path);
  }
}

function isInt64(value: unknown): boolean {
  return Number.isInteger(value) && Math.abs(value as number) <= INT64_BOUND;
}

function scalar(
  value: unknown,
  rule: { readonly zero: unknown; readonly path: string; readonly fits: (v: unknown) => boolean },
): unknown {
  if (value === undefined || value === null) return rule.zero;
  if (!rule.fits(value)) throw mismatch(value, rule.path, typeof rule.zero);
  return value;
}

function readList(of: Schema, value: unknown, path: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw mismatch(value, path, "array");
  if (value.length > MAX_ITEMS) throw tooMany(path);
  return value.map((item, index) => read(of, item, `${path}[${index}]`));
}

function readMap(of: Schema, value: unknown, path: string): Record<string, unknown> {
  const entries = entriesOf(value, path);
  return Object.fromEntries(
    entries.map(([key, item]) => [key, read(of, item, path === "" ? key : `${path}.${key}`)]),
  );
}

function readObject(
  fields: Readonly<Record<string, Schema>>,
  value: unknown,
  path: string,
): Record<string, unknown> {
  const given = new Map<string, unknown>();
  // a later one of two fields of a name wins, as in Go
  for (const [key, item] of entriesOf(value, path)) given.set(key.toLowerCase(), item);
  return Object.fromEntries(
    Object.entries(fields).map(([name, schema]) => [
      name,
      read(schema, given.get(name.toLowerCase()), path === "" ? name : `${path}.${name}`),
    ]),
  );
}

function entriesOf(value: unknown, path: string): [string, unknown][] {
  if (value === undefined || value === null) return [];
  if (typeof value !== "object" || Array.isArray(value)) throw mismatch(value, path, "object");
  const entries = Object.entries(value);
  if (entries.length > MAX_ITEMS) throw tooMany(path);
  return entries;
}

function mismatch(value: unknown, path: string, wanted: string): Error {
  const got = Array.isArray(value) ? "array" : typeof value;
  const where = path === "" ? "the body" : `field ${path.slice(0, 200)}`;
  return apiError("BAD_REQUEST", `invalid JSON: cannot take ${got} for ${where} of type ${wanted}`);
}

function tooMany(path: string): Error {
  return apiError(
    "BAD_REQUEST",
    `invalid JSON: ${path || "body"} has more than ${MAX_ITEMS} items`,
  );
}
