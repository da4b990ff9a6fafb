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
  readonly OnBuild?: readonly string[];
  readonly Healthcheck?: Readonly<Record<string, unknown>>;
}

/** @returns a changed copy @throws CHANGE_INVALID */
export function applyChanges(config: ConfigSection, lines: readonly string[]): ConfigSection {
  let changed = config;
  let hasCommand = false;
  for (const line of lines) {
    const [, word = "", rest = ""] = /^\s*([A-Za-z]+)\s+(.*\S)\s*$/s.exec(line) ?? [];
    const name = word.toUpperCase();
    const change = CHANGES.get(name);
    if (change === undefined)
      throw imageError(
        "CHANGE_INVALID",
        `not a change of an image's configuration: ${excerpt(line)}`,
      );
    changed = { ...changed, ...change(rest, changed) };
    if (name === "CMD") hasCommand = true;
    // A command that was meant for another entrypoint does not stay (moby builder/dockerfile/dispatchers.go).
    if (name === "ENTRYPOINT" && !hasCommand) changed = { ...changed, Cmd: [] };
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
  ["ONBUILD", (text, { OnBuild }) => ({ OnBuild: [...(OnBuild ?? []), text] })],
  ["HEALTHCHECK", (text) => ({ Healthcheck: healthcheck(text) })],
  [
    "ENV",
    (text, { Env }) => ({
      Env: withVariables(
        Env ?? [],
        pairs(text).map((pair) => pair.join("=")),
      ),
    }),
  ],
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

/** Flags of HEALTHCHECK that are times, and what they are called in a config. */
const CHECK_TIMES: ReadonlyMap<string, string> = new Map([
  ["interval", "Interval"],
  ["timeout", "Timeout"],
  ["start-period", "StartPeriod"],
  ["start-interval", "StartInterval"],
]);

/** `NONE`, or `[--FLAG=VALUE …] CMD COMMAND`. */
function healthcheck(text: string): Readonly<Record<string, unknown>> {
  if (/^none$/i.test(text)) return { Test: ["NONE"] };
  const [, flags = "", rest = ""] = /^((?:--\S+\s+)*)CMD\s+(.*)$/is.exec(text) ?? [];
  if (rest === "")
    throw imageError("CHANGE_INVALID", `a health check without a command: ${excerpt(text)}`);
  const list = jsonList(rest);
  const check: Record<string, unknown> = {
    Test: list === undefined ? ["CMD-SHELL", rest] : ["CMD", ...list],
  };
  for (const flag of flags.split(/\s+/).filter((word) => word !== "")) {
    const [, name = "", value = ""] = /^--([a-z-]+)=(.+)$/.exec(flag) ?? [];
    const time = CHECK_TIMES.get(name);
    if (time !== undefined) check[time] = nanoseconds(value);
    else if (name === "retries" && /^[0-9]{1,9}$/.test(value)) check.Retries = Number(value);
    else throw imageError("CHANGE_INVALID", `not a flag of a health check: ${excerpt(flag)}`);
  }
  return check;
}

/** In `nanoseconds`, by the units of Go's time.ParseDuration. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

function nanoseconds(text: string): number {
  if (!/^(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ns|us|ms|s|m|h))+$/.test(text))
    throw imageError("CHANGE_INVALID", `not a time such as 30s: ${excerpt(text)}`);
  let sum = 0;
  for (const [, number, unit = ""] of text.matchAll(/([0-9.]+)(ns|us|ms|s|m|h)/g))
    sum += Number(number) * (UNITS[unit] ?? 0);
  return Math.round(sum);
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

/** Variables, `NAME=VALUE` each, with others in place of those of the same name. */
export function withVariables(variables: readonly string[], changes: readonly string[]): string[] {
  const name = (variable: string): string => variable.split("=", 1)[0] ?? "";
  return [...new Map([...variables, ...changes].map((each) => [name(each), each])).values()];
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
