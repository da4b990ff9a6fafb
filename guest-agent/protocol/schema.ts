/** A small schema language: each message is described once, and both sides validate with that description. */

import { MAX_ELEMENTS, MAX_STRING } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

/** most characters of what the peer sent that an error shows */
const MAX_SHOWN = 80;

/** Checks an unknown value and returns a copy that holds what the schema names and nothing else. */
export interface Schema<T> {
  /** @throws ProtocolError `BAD_MESSAGE`, naming the `path` of the offending field */
  parse(value: unknown, path?: string): T;
  /** whether an object may leave the field out */
  readonly optional?: boolean;
}

/** The type that a schema describes. */
export type Infer<S> = S extends Schema<infer T> ? T : never;

type Fields = Record<string, Schema<unknown>>;
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: undefined extends Infer<F[K]> ? K : never;
}[keyof F];
type ObjectOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Infer<F[K]>;
} & {
  readonly [K in OptionalKeys<F>]?: Exclude<Infer<F[K]>, undefined>;
};
type Flat<T> = { [K in keyof T]: T[K] };

export const string: Schema<string> = {
  parse(value, path = "message") {
    if (typeof value !== "string" || value.length > MAX_STRING)
      return refuse(path, "a string", value);
    return value;
  },
};

export const boolean: Schema<boolean> = {
  parse(value, path = "message") {
    return typeof value === "boolean" ? value : refuse(path, "true or false", value);
  },
};

/** An integer that a double holds exactly, from `least` to `most`. */
export function integer(least = 0, most = Number.MAX_SAFE_INTEGER): Schema<number> {
  return {
    parse(value, path = "message") {
      if (
        typeof value !== "number" ||
        !Number.isSafeInteger(value) ||
        value < least ||
        value > most
      ) {
        return refuse(path, `an integer from ${least} to ${most}`, value);
      }
      return value;
    },
  };
}

/** One of the strings given. */
export function oneOf<const T extends string>(...choices: readonly T[]): Schema<T> {
  return {
    parse(value, path = "message") {
      for (const choice of choices) if (choice === value) return choice;
      return refuse(path, `one of ${choices.join(", ")}`, value);
    },
  };
}

export function array<T>(element: Schema<T>): Schema<readonly T[]> {
  return {
    parse(value, path = "message") {
      if (!Array.isArray(value) || value.length > MAX_ELEMENTS)
        return refuse(path, "an array", value);
      return value.map((each, index) => element.parse(each, `${path}[${index}]`));
    },
  };
}

/** An object used as a dictionary. */
export function record<T>(element: Schema<T>): Schema<Readonly<Record<string, T>>> {
  return {
    parse(value, path = "message") {
      const entries = Object.entries(plainObject(value, path));
      if (entries.length > MAX_ELEMENTS) return refuse(path, `at most ${MAX_ELEMENTS} keys`, value);
      return Object.fromEntries(
        entries.map(([key, each]) => [key, element.parse(each, `${path}.${key}`)]),
      );
    },
  };
}

/** A field that may be left out. */
export function optional<T>(inner: Schema<T>): Schema<T | undefined> {
  return {
    optional: true,
    parse: (value, path) => (value === undefined ? undefined : inner.parse(value, path)),
  };
}

/** An object with the fields named; others are refused. */
export function object<F extends Fields>(fields: F): Schema<Flat<ObjectOf<F>>> {
  return {
    parse(value, path = "message") {
      const given = plainObject(value, path);
      for (const key of Object.keys(given)) {
        if (!Object.hasOwn(fields, key)) refuse(`${path}.${key}`, "no such field", given[key]);
      }
      const copy: Record<string, unknown> = {};
      for (const [key, schema] of Object.entries(fields)) {
        const field = Object.hasOwn(given, key) ? given[key] : undefined;
        if (field === undefined && schema.optional === true) continue;
        copy[key] = schema.parse(field, `${path}.${key}`);
      }
      return copy as Flat<ObjectOf<F>>;
    },
  };
}

/** One of several objects, told apart by the string in `tag`. */
export function union<Tag extends string, M extends Record<string, Schema<unknown>>>(
  tag: Tag,
  members: M,
): Schema<{ [K in keyof M]: Flat<{ readonly [T in Tag]: K } & Infer<M[K]>> }[keyof M]> {
  return {
    parse(value, path = "message") {
      const { [tag]: name, ...rest } = plainObject(value, path);
      if (typeof name !== "string" || !Object.hasOwn(members, name)) {
        return refuse(`${path}.${tag}`, `one of ${Object.keys(members).join(", ")}`, name);
      }
      const body = members[name]?.parse(rest, path);
      return { [tag]: name, ...(body as object) } as never;
    },
  };
}

function plainObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return refuse(path, "an object", value);
  return value as Record<string, unknown>;
}

function refuse(path: string, wanted: string, value: unknown): never {
  const where = path.slice(0, MAX_SHOWN);
  throw new ProtocolError("BAD_MESSAGE", `${where}: wanted ${wanted}, got ${shown(value)}`);
}

/** Says of objects only what they are: one that is nested deep enough ends the stack of whoever writes it out. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "string") return JSON.stringify(value.slice(0, MAX_SHOWN));
  return value === undefined ? "nothing" : String(value);
}
