/**
 * The part of Go's templates (text/template) that `--format` is used with: `{{.Field.Sub}}`, `{{json .Field}}`,
 * `{{index .Field KEY}}`, `{{len .Field}}`, `{{upper .Field}}`, `{{lower .Field}}`, and text around them.
 */

import { cliError } from "../errors.ts";

export type Template = (value: unknown) => string;

type Piece = string | ((root: unknown) => string);

/** @throws DvmError `USAGE` for what is beyond that part */
export function parseTemplate(text: string): Template {
  const pieces = [...splitActions(text)];
  return (root) =>
    pieces.map((piece) => (typeof piece === "string" ? piece : piece(root))).join("");
}

/** The names of the fields that a `table` template shows, in order, for its headers. */
export function templateHeaders(text: string, titles: Readonly<Record<string, string>>): string {
  return parseTemplateText(text).replaceAll(/\{\{[^}]*?\.(\w+)[^}]*\}\}/g, (_, name: string) =>
    Object.hasOwn(titles, name) ? (titles[name] ?? "") : name.toUpperCase(),
  );
}

function* splitActions(text: string): Generator<Piece> {
  const source = parseTemplateText(text);
  let at = 0;
  for (const found of source.matchAll(/\{\{(.*?)\}\}/gs)) {
    yield source.slice(at, found.index);
    yield parseAction((found[1] ?? "").trim());
    at = found.index + found[0].length;
  }
  const rest = source.slice(at);
  if (rest.includes("{{")) throw unsupported(text);
  yield rest;
}

/** Docker takes `\t` and `\n` for what they mean in Go. */
function parseTemplateText(text: string): string {
  return text.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
}

function parseAction(action: string): (root: unknown) => string {
  const words = action.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  const [first = "", ...rest] = words;
  const path = words.length === 1 ? first : (rest[0] ?? "");
  if (!/^\.(?:\w+(?:\.\w+)*)?$/.test(path)) throw unsupported(action);
  const field = (root: unknown): unknown => lookUp(root, path);
  if (words.length === 1) return (root) => show(field(root));
  if (first === "index") return (root) => show(rest.slice(1).reduce(item, field(root)));
  if (rest.length !== 1) throw unsupported(action);
  switch (first) {
    case "json":
      return (root) => JSON.stringify(field(root)) ?? "null";
    case "upper":
      return (root) => show(field(root)).toUpperCase();
    case "lower":
      return (root) => show(field(root)).toLowerCase();
    case "len":
      return (root) => String(lengthOf(field(root)));
    default:
      throw unsupported(action);
  }
}

function lookUp(root: unknown, path: string): unknown {
  let value = root;
  for (const name of path.split(".").filter((part) => part !== "")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name))
      throw cliError("USAGE", `template: there is no field ${path}`);
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

function item(value: unknown, key: string): unknown {
  const name = key.startsWith('"') ? String(JSON.parse(key)) : key;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name))
    throw cliError("USAGE", `template: there is no item ${key}`);
  return (value as Readonly<Record<string, unknown>>)[name];
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
}

/** Go's way of printing values. */
function show(value: unknown): string {
  if (value === null || value === undefined) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(show).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  const pairs = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `map[${pairs.map(([name, each]) => `${name}:${show(each)}`).join(" ")}]`;
}

function unsupported(text: string): Error {
  return cliError("USAGE", `template: not supported: ${text}`);
}
