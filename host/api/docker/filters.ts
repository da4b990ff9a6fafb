/** The `filters` parameter: JSON, a set of values for each key (moby api/types/filters). */

import { apiError } from "./errors.ts";

/** Longest parameter that is looked at, in characters. */
const MAX_LENGTH = 1 << 16;

export class Filters {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]> = new Map()) {
    this.#values = values;
  }

  /**
   * Reads both forms: `{"key": ["value"]}` and the older `{"key": {"value": true}}`.
   *
   * @throws DvmError `BAD_REQUEST` for other JSON, and for keys that are not among `known`
   */
  static parse(text: string, known: readonly string[]): Filters {
    if (text === "") return new Filters();
    const values = new Map(Object.entries(parseObject(text)).map(([k, v]) => [k, valuesOf(v)]));
    for (const key of values.keys()) {
      if (!known.includes(key)) throw apiError("BAD_REQUEST", `invalid filter '${key}'`);
    }
    return new Filters(values);
  }

  has(key: string): boolean {
    return this.get(key).length > 0;
  }

  get(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  /** Whether nothing is asked of the key, or one of the values fits. */
  accepts(key: string, fits: (value: string) => boolean): boolean {
    const values = this.get(key);
    return values.length === 0 || values.some(fits);
  }

  /** Whether every value, `NAME` or `NAME=VALUE`, is among the labels. */
  acceptsLabels(labels: Readonly<Record<string, string>>, key = "label"): boolean {
    return this.get(key).every((wanted) => hasLabel(labels, wanted));
  }

  /** One switch. @throws DvmError `BAD_REQUEST` for anything but true and false, 1 and 0 */
  flag(key: string, absent: boolean): boolean {
    const [value, ...rest] = this.get(key);
    if (value === undefined) return absent;
    if (rest.length === 0 && ["1", "true"].includes(value)) return true;
    if (rest.length === 0 && ["0", "false"].includes(value)) return false;
    throw apiError("BAD_REQUEST", `invalid filter '${key}=${[value, ...rest].join(",")}'`);
  }
}

/** Whether a label `NAME`, or `NAME=VALUE`, is there. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  const name = equals < 0 ? wanted : wanted.slice(0, equals);
  if (!Object.hasOwn(labels, name)) return false;
  return equals < 0 || labels[name] === wanted.slice(equals + 1);
}

/**
 * Whether a name is a value or fits it as a pattern. Docker takes regular expressions of RE2, which runs in linear
 * time; of those only literal text, `^`, `$`, `.` and `.*` are taken, the rest is compared as it is.
 */
export function fitsName(name: string, value: string): boolean {
  if (name === value) return true;
  const atStart = value.startsWith("^");
  const atEnd = value.endsWith("$");
  const body = value.slice(atStart ? 1 : 0, atEnd ? -1 : undefined);
  const parts = body.split(".*").map((part) => part.replaceAll("\\", ""));
  return containsInOrder(name, parts, { atStart, atEnd });
}

function containsInOrder(
  name: string,
  parts: readonly string[],
  anchors: { readonly atStart: boolean; readonly atEnd: boolean },
): boolean {
  let from = 0;
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1;
    if (last && anchors.atEnd) {
      const start = name.length - part.length;
      const bound = index === 0 && anchors.atStart;
      return start >= from && (!bound || start === 0) && matchesAt(name, part, start);
    }
    const found = findFrom(name, part, from);
    if (found < 0 || (index === 0 && anchors.atStart && !matchesAt(name, part, 0))) return false;
    from = (index === 0 && anchors.atStart ? 0 : found) + part.length;
  }
  return true;
}

function findFrom(name: string, part: string, from: number): number {
  for (let at = from; at + part.length <= name.length; at++) {
    if (matchesAt(name, part, at)) return at;
  }
  return -1;
}

/** `.` stands for any character. */
function matchesAt(name: string, part: string, at: number): boolean {
  if (at < 0 || at + part.length > name.length) return false;
  for (let index = 0; index < part.length; index++) {
    if (part[index] !== "." && part[index] !== name[at + index]) return false;
  }
  return true;
}

function parseObject(text: string): object {
  let value: unknown;
  try {
    value = text.length > MAX_LENGTH ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw apiError("BAD_REQUEST", `invalid filter: ${text.slice(0, 100)}`);
  }
  return value;
}

function valuesOf(value: unknown): readonly string[] {
  const list = Array.isArray(value) ? value : chosenKeys(value);
  if (!list.every((item) => typeof item === "string")) {
    throw apiError("BAD_REQUEST", "invalid filter: the values are not text");
  }
  return list;
}

function chosenKeys(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) {
    throw apiError("BAD_REQUEST", "invalid filter: neither a list nor a set of values");
  }
  return Object.entries(value)
    .filter(([, chosen]) => chosen === true)
    .map(([key]) => key);
}
