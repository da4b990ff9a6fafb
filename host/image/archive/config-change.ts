/** Lines of a Dockerfile that change a config: `--change` of import and commit (docker/cli, builder/dockerfile instructions). */
import { excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";

/** The `config` section of an image's config, as it is written. */
export interface ConfigSection {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly StopSignal?: string;
}

/** @returns a changed copy @throws CHANGE_INVALID */
export function applyChanges(config: ConfigSection, lines: readonly string[]): ConfigSection {
  let changed = config;
  for (const line of lines) {
    const [, name = "", rest = ""] = /^\s*([A-Za-z]+)\s+(.*\S)\s*$/s.exec(line) ?? [];
    const change = CHANGES.get(name.toUpperCase());
    if (change === undefined)
      throw imageError(
        "CHANGE_INVALID",
        `not a change of an image's configuration: ${excerpt(line)}`,
      );
    changed = { ...changed, ...change(rest, changed) };
  }
  return changed;
}

type Change = (text: string, config: ConfigSection) => ConfigSection;

const CHANGES: ReadonlyMap<string, Change> = new Map<string, Change>([
  ["CMD", (text) => ({ Cmd: command(text) })],
  ["ENTRYPOINT", (text) => ({ Entrypoint: command(text) })],
  ["USER", (text) => ({ User: text })],
  ["WORKDIR", (text) => ({ WorkingDir: text.startsWith("/") ? text : `/${text}` })],
  ["STOPSIGNAL", (text) => ({ StopSignal: text })],
  ["ENV", (text, { Env }) => ({ Env: withVariables(Env ?? [], pairs(text)) })],
  ["LABEL", (text, { Labels }) => ({ Labels: { ...Labels, ...Object.fromEntries(pairs(text)) } })],
  [
    "EXPOSE",
    (text, { ExposedPorts }) => ({
      ExposedPorts: { ...ExposedPorts, ...setOf(words(text).map(port)) },
    }),
  ],
  [
    "VOLUME",
    (text, { Volumes }) => ({
      Volumes: { ...Volumes, ...setOf(jsonList(text) ?? words(text)) },
    }),
  ],
]);

/** The JSON form runs as it is; anything else is a shell's. */
function command(text: string): string[] {
  return jsonList(text) ?? ["/bin/sh", "-c", text];
}

function jsonList(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((item) => typeof item === "string") ? list : undefined;
  } catch {
    // Docker takes a list that is no JSON for a shell's text.
    return undefined;
  }
}

function withVariables(
  variables: readonly string[],
  changes: readonly (readonly [string, string])[],
): string[] {
  const env = new Map(variables.map((item) => [item.split("=", 1)[0] ?? "", item]));
  for (const [name, value] of changes) env.set(name, `${name}=${value}`);
  return [...env.values()];
}

/** `NAME=VALUE …`, or the old `NAME VALUE`. */
function pairs(text: string): [string, string][] {
  const first = words(text)[0] ?? "";
  if (!first.includes("=")) {
    const space = text.search(/\s/);
    if (space < 0) throw imageError("CHANGE_INVALID", `a name without a value: ${excerpt(text)}`);
    return [[text.slice(0, space), text.slice(space).trim()]];
  }
  return words(text).map((word) => {
    const equals = word.indexOf("=");
    if (equals <= 0) throw imageError("CHANGE_INVALID", `not NAME=VALUE: ${excerpt(word)}`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

/** Words as a shell splits them, quotes taken off. */
function words(text: string): string[] {
  const found = text.match(/(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+/gs) ?? [];
  return found.map((word) =>
    word.replaceAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/gs, (_, double, single, escaped) =>
      double !== undefined
        ? String(double).replaceAll(/\\(["\\$])/g, "$1")
        : (single ?? escaped ?? ""),
    ),
  );
}

function port(text: string): string {
  if (!/^[0-9]{1,5}(?:-[0-9]{1,5})?(?:\/(?:tcp|udp|sctp))?$/.test(text))
    throw imageError("CHANGE_INVALID", `not a port: ${excerpt(text)}`);
  return text.includes("/") ? text : `${text}/tcp`;
}

function setOf(items: readonly string[]): Record<string, object> {
  return Object.fromEntries(items.map((item) => [item, {}]));
}
