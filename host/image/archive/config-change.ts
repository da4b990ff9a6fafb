/** Lines of a Dockerfile that change a config: `--change` of import and commit (docker/cli, builder/dockerfile instructions). */
import { excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";

/** The `config` section of an image's config, as it is written. */
export interface ConfigSection {
  User?: string;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  WorkingDir?: string;
  Labels?: Record<string, string>;
  ExposedPorts?: Record<string, object>;
  Volumes?: Record<string, object>;
  StopSignal?: string;
}

/** @returns a changed copy @throws CHANGE_INVALID */
export function applyChanges(config: ConfigSection, lines: readonly string[]): ConfigSection {
  const changed: ConfigSection = structuredClone(config);
  for (const line of lines) {
    const [, name = "", rest = ""] = /^\s*([A-Za-z]+)\s+(.*\S)\s*$/s.exec(line) ?? [];
    const change = CHANGES.get(name.toUpperCase());
    if (change === undefined)
      throw imageError(
        "CHANGE_INVALID",
        `not a change of an image's configuration: ${excerpt(line)}`,
      );
    change(changed, rest);
  }
  return changed;
}

const CHANGES: ReadonlyMap<string, (config: ConfigSection, text: string) => void> = new Map([
  ["CMD", (config, text) => void (config.Cmd = command(text))],
  ["ENTRYPOINT", (config, text) => void (config.Entrypoint = command(text))],
  ["USER", (config, text) => void (config.User = text)],
  [
    "WORKDIR",
    (config, text) => void (config.WorkingDir = text.startsWith("/") ? text : `/${text}`),
  ],
  ["STOPSIGNAL", (config, text) => void (config.StopSignal = text)],
  ["ENV", (config, text) => setEnvironment(config, pairs(text))],
  [
    "LABEL",
    (config, text) =>
      void (config.Labels = { ...config.Labels, ...Object.fromEntries(pairs(text)) }),
  ],
  [
    "EXPOSE",
    (config, text) =>
      void (config.ExposedPorts = { ...config.ExposedPorts, ...setOf(words(text).map(port)) }),
  ],
  [
    "VOLUME",
    (config, text) =>
      void (config.Volumes = { ...config.Volumes, ...setOf(jsonList(text) ?? words(text)) }),
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

function setEnvironment(
  config: ConfigSection,
  changes: readonly (readonly [string, string])[],
): void {
  const env = new Map((config.Env ?? []).map((item) => [item.split("=", 1)[0] ?? "", item]));
  for (const [name, value] of changes) env.set(name, `${name}=${value}`);
  config.Env = [...env.values()];
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
