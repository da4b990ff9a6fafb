/** Image configs: what to run, and the layers' digests (OCI image-spec v1.1, config.md; Docker's adds a few fields). */
import { type Digest, parseDigest } from "./digest.ts";
import {
  asObject,
  invalid,
  type JsonObject,
  optionalArray,
  optionalString,
  optionalStrings,
  parseJsonObject,
  stringMap,
} from "./json.ts";
import { MAX_LAYERS } from "./manifest.ts";
import { normalize, type Platform } from "./platform.ts";

export interface ImageConfig {
  readonly platform: Platform;
  /** time of making, RFC 3339, as stated */
  readonly created: string | undefined;
  readonly author: string | undefined;
  readonly run: RunConfig;
  /** digests of the uncompressed layers, lowest first */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

/** What a container of the image runs unless told otherwise. */
export interface RunConfig {
  /** `USER[:GROUP]` by name or number; empty for root */
  readonly user: string;
  /** environment, `NAME=VALUE` each */
  readonly env: readonly string[];
  readonly entrypoint: readonly string[] | undefined;
  readonly cmd: readonly string[] | undefined;
  /** working folder; empty for `/` */
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  /** ports, `NUMBER/PROTOCOL` each */
  readonly exposedPorts: readonly string[];
  /** paths of anonymous volumes */
  readonly volumes: readonly string[];
  /** signal by name or number */
  readonly stopSignal: string | undefined;
  /** time between the stop signal and SIGKILL, in `seconds` */
  readonly stopTimeout: number | undefined;
  readonly healthcheck: Healthcheck | undefined;
}

/** Docker's health check; all times in `nanoseconds`, 0 for Docker's default. */
export interface Healthcheck {
  /** `NONE`, or `CMD` or `CMD-SHELL` and the command; empty to inherit */
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  /** failures in a row that make a container unhealthy, 0 for Docker's default */
  readonly retries: number;
}

/** One step of the image's making. */
export interface HistoryEntry {
  readonly created: string | undefined;
  readonly createdBy: string | undefined;
  readonly author: string | undefined;
  readonly comment: string | undefined;
  /** whether the step made no layer */
  readonly emptyLayer: boolean;
}

const MAX_ITEMS = 16_384;

/**
 * Parses an image config.
 * @param layerCount how many layers the manifest lists; the config has to list as many
 * @throws MANIFEST_INVALID
 */
export function parseConfig(bytes: Uint8Array, where: string, layerCount: number): ImageConfig {
  const document = parseJsonObject(bytes, where);
  const diffIds = parseDiffIds(document, where);
  if (diffIds.length !== layerCount)
    throw invalid(where, `${diffIds.length} diff_ids for ${layerCount} layers`);
  const run = document.config;
  return {
    platform: normalize({
      os: optionalString(document, "os", where) ?? "",
      architecture: optionalString(document, "architecture", where) ?? "",
      variant: optionalString(document, "variant", where) ?? "",
    }),
    created: optionalString(document, "created", where),
    author: optionalString(document, "author", where),
    run: parseRunConfig(
      run === undefined || run === null ? {} : asObject(run, `${where}: config`),
      `${where}: config`,
    ),
    diffIds,
    history: parseHistory(document, where),
  };
}

function parseDiffIds(document: JsonObject, where: string): readonly Digest[] {
  const rootfs = asObject(document.rootfs, `${where}: rootfs`);
  const type = optionalString(rootfs, "type", where);
  if (type !== undefined && type !== "layers") throw invalid(where, "rootfs.type is not layers");
  const list = optionalStrings(rootfs, "diff_ids", { where, max: MAX_LAYERS }) ?? [];
  return list.map((text, n) => parseDigest(text, `${where}: diff_ids[${n}]`));
}

function parseRunConfig(object: JsonObject, where: string): RunConfig {
  const strings = (key: string): readonly string[] | undefined =>
    optionalStrings(object, key, { where, max: MAX_ITEMS });
  const env = strings("Env") ?? [];
  return {
    user: optionalString(object, "User", where) ?? "",
    env,
    entrypoint: strings("Entrypoint"),
    cmd: strings("Cmd"),
    workingDir: optionalString(object, "WorkingDir", where) ?? "",
    labels: stringMap(object, "Labels", where),
    exposedPorts: keysOf(object, "ExposedPorts", where),
    volumes: keysOf(object, "Volumes", where),
    stopSignal: optionalString(object, "StopSignal", where),
    stopTimeout: optionalNumber(object, "StopTimeout", where),
    healthcheck: parseHealthcheck(object.Healthcheck, `${where}: Healthcheck`),
  };
}

function parseHealthcheck(value: unknown, where: string): Healthcheck | undefined {
  if (value === undefined || value === null) return undefined;
  const object = asObject(value, where);
  return {
    test: optionalStrings(object, "Test", { where, max: MAX_ITEMS }) ?? [],
    interval: optionalNumber(object, "Interval", where) ?? 0,
    timeout: optionalNumber(object, "Timeout", where) ?? 0,
    startPeriod: optionalNumber(object, "StartPeriod", where) ?? 0,
    startInterval: optionalNumber(object, "StartInterval", where) ?? 0,
    retries: optionalNumber(object, "Retries", where) ?? 0,
  };
}

function parseHistory(document: JsonObject, where: string): readonly HistoryEntry[] {
  const list = optionalArray(document, "history", { where, max: MAX_ITEMS }) ?? [];
  return list.map((item, n) => {
    const label = `${where}: history[${n}]`;
    const object = asObject(item, label);
    return {
      created: optionalString(object, "created", label),
      createdBy: optionalString(object, "created_by", label),
      author: optionalString(object, "author", label),
      comment: optionalString(object, "comment", label),
      emptyLayer: object.empty_layer === true,
    };
  });
}

function optionalNumber(object: JsonObject, key: string, where: string): number | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value))
    throw invalid(where, `${key} is not a number`);
  return value;
}

/** Keys of an object whose values mean nothing (Go's `map[string]struct{}`). */
function keysOf(object: JsonObject, key: string, where: string): readonly string[] {
  const value = object[key];
  if (value === undefined || value === null) return [];
  const keys = Object.keys(asObject(value, `${where}: ${key}`));
  if (keys.length > MAX_ITEMS) throw invalid(where, `${key} has more than ${MAX_ITEMS} items`);
  if (keys.some((name) => name.includes("\0"))) throw invalid(where, `${key} holds a NUL`);
  return keys;
}
