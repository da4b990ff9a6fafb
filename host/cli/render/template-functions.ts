/** The functions that templates may call, Go's own and Docker's, and Go's way of printing values. */

import { refused } from "./template-syntax.ts";

type TemplateFunction = (...values: readonly unknown[]) => unknown;

export const templateFunctions: ReadonlyMap<string, TemplateFunction> = new Map(
  Object.entries<TemplateFunction>({
    // Docker's (docker/cli templates)
    json: (value) => JSON.stringify(value) ?? "null",
    split: (text, separator) => show(text).split(show(separator)),
    join: (list, separator) => itemsOf(list).map(show).join(show(separator)),
    title: (text) => show(text).replace(/\b[a-z]/g, (letter) => letter.toUpperCase()),
    upper: (text) => show(text).toUpperCase(),
    lower: (text) => show(text).toLowerCase(),
    pad: (text, before, after) => (text === "" ? "" : blanks(before) + show(text) + blanks(after)),
    truncate: (text, length) => show(text).slice(0, Number(length)),
    // Go's (text/template)
    print: (...values) => values.map(show).join(""),
    println: (...values) => `${values.map(show).join(" ")}\n`,
    printf: (format, ...values) => formatted(show(format), values),
    len: (value) => lengthOf(value),
    index: (value, ...keys) => keys.reduce(item, value),
    slice: (value, from = 0, to = undefined) =>
      (typeof value === "string" ? value : [...itemsOf(value)]).slice(
        Number(from),
        to === undefined ? undefined : Number(to),
      ),
    not: (value) => !isTrue(value),
    and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
    or: (...values) => values.find(isTrue) ?? values.at(-1),
    eq: (first, ...others) => others.some((other) => show(first) === show(other)),
    ne: (a, b) => show(a) !== show(b),
    lt: (a, b) => compare(a, b) < 0,
    le: (a, b) => compare(a, b) <= 0,
    gt: (a, b) => compare(a, b) > 0,
    ge: (a, b) => compare(a, b) >= 0,
  }),
);

/** Longest run of blanks that `pad` makes. */
const MAX_PAD = 1000;

/** Go's truth: zero values are false, empty lists and maps too. */
export function isTrue(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Go's way of printing values. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(show).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  const pairs = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `map[${pairs.map(([name, each]) => `${name}:${show(each)}`).join(" ")}]`;
}

/** @throws DvmError `USAGE` when there is no such item */
function item(value: unknown, key: unknown): unknown {
  if (typeof value === "object" && value !== null) {
    const name = String(key);
    if (Object.hasOwn(value, name)) return (value as Readonly<Record<string, unknown>>)[name];
    // a map has the zero value for what is not in it
    if (!Array.isArray(value)) return "";
  }
  throw refused(`there is no item ${show(key)}`);
}

function itemsOf(value: unknown): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw refused(`not a list: ${show(value)}`);
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [show(a), show(b)];
  return left < right ? -1 : Number(left > right);
}

function blanks(count: unknown): string {
  return " ".repeat(Math.min(Math.max(Number(count) || 0, 0), MAX_PAD));
}

/** %s, %v, %d, %t, %q, each with a width of its own. */
function formatted(format: string, values: readonly unknown[]): string {
  let next = 0;
  return format.replaceAll(/%(-?)(\d{0,3})([svdtq%])/g, (_, left: string, width, verb: string) => {
    if (verb === "%") return "%";
    const value = values[next++];
    const text = verb === "q" ? JSON.stringify(show(value)) : show(value);
    return left === "-" ? text.padEnd(Number(width)) : text.padStart(Number(width));
  });
}
