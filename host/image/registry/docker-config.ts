/** Credentials in Docker's `config.json`: `auths`, `credHelpers` and `credsStore` (docker/cli, cli/config/configfile). */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { imageError } from "../errors.ts";
import { asObject, type JsonObject, optionalString, parseJsonObject } from "../json.ts";
import { readIfThere, replaceFile } from "../store-folder.ts";
import { askHelper, eraseWithHelper, storeWithHelper } from "./credential-helper.ts";
import type { Credentials } from "./credentials.ts";

/** The key under which Docker keeps the credentials of `docker.io`. */
export const DOCKER_HUB_KEY = "https://index.docker.io/v1/";
const DOCKER_HUB_HOSTS = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/** The key of a host's credentials, as `docker login` writes it. */
export function credentialKey(host: string): string {
  return DOCKER_HUB_HOSTS.includes(host) ? DOCKER_HUB_KEY : host;
}

/**
 * Finds the credentials of a host; only entries for this very host and port count.
 * @throws CREDENTIALS_UNREADABLE
 */
export async function findCredentials(
  configPath: string,
  host: string,
): Promise<Credentials | undefined> {
  const config = await readConfig(configPath);
  const key = credentialKey(host);
  const helper = helperFor(config, key, configPath);
  if (helper !== undefined) {
    const found = await askHelper(helper, key);
    if (found !== undefined) return found;
  }
  return findAuth(config, key, configPath);
}

/**
 * Keeps credentials: with the helper that is set for the host, else in the file, for its owner alone.
 * @returns where they are: a helper's name, or `undefined` for the file
 * @throws CREDENTIALS_UNREADABLE
 */
export async function storeCredentials(
  configPath: string,
  host: string,
  credentials: Credentials,
): Promise<string | undefined> {
  const config = await readConfig(configPath);
  const key = credentialKey(host);
  const helper = helperFor(config, key, configPath);
  if (helper !== undefined) await storeWithHelper(helper, key, credentials);
  const entry = helper === undefined ? authEntry(credentials) : {};
  const auths = { ...section(config, "auths", configPath), [key]: entry };
  await writeConfig(configPath, { ...config, auths });
  return helper;
}

/** Forgets a host's credentials. @returns whether there were any in the file */
export async function eraseCredentials(configPath: string, host: string): Promise<boolean> {
  const config = await readConfig(configPath);
  const key = credentialKey(host);
  const helper = helperFor(config, key, configPath);
  if (helper !== undefined) await eraseWithHelper(helper, key);
  const auths = Object.entries(section(config, "auths", configPath));
  const others = auths.filter(([name]) => !isFor(name, key));
  if (others.length === auths.length) return false;
  await writeConfig(configPath, { ...config, auths: Object.fromEntries(others) });
  return true;
}

async function readConfig(path: string): Promise<JsonObject> {
  const bytes = await readIfThere(path).catch((cause: unknown) => {
    throw imageError("CREDENTIALS_UNREADABLE", `cannot read ${path}`, { cause });
  });
  if (bytes === undefined || bytes.length === 0) return {};
  return readable(path, () => parseJsonObject(bytes, path));
}

function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw imageError("CREDENTIALS_UNREADABLE", `damaged configuration: ${path}`, { cause });
  }
}

async function writeConfig(path: string, config: JsonObject): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await replaceFile(path, `${JSON.stringify(config, undefined, "\t")}\n`);
  } catch (cause) {
    throw imageError("CREDENTIALS_UNREADABLE", `cannot write ${path}`, { cause });
  }
}

function section(config: JsonObject, key: string, path: string): JsonObject {
  const value = config[key];
  if (value === undefined || value === null) return {};
  return readable(path, () => asObject(value, `${path}: ${key}`));
}

/** A helper for the host goes before the one for all. */
function helperFor(config: JsonObject, key: string, path: string): string | undefined {
  const helpers = section(config, "credHelpers", path);
  const name = key === DOCKER_HUB_KEY ? "index.docker.io" : key;
  return readable(path, () => {
    for (const candidate of [key, name, ...(key === DOCKER_HUB_KEY ? ["docker.io"] : [])]) {
      const helper = optionalString(helpers, candidate, path);
      if (helper !== undefined && helper !== "") return helper;
    }
    return optionalString(config, "credsStore", path) || undefined;
  });
}

function findAuth(config: JsonObject, key: string, path: string): Credentials | undefined {
  const auths = section(config, "auths", path);
  const name = Object.hasOwn(auths, key)
    ? key
    : Object.keys(auths).find((item) => isFor(item, key));
  if (name === undefined) return undefined;
  return readable(path, () => parseAuth(asObject(auths[name], name), path));
}

function parseAuth(entry: JsonObject, path: string): Credentials | undefined {
  const identityToken = optionalString(entry, "identitytoken", path) || undefined;
  const auth = optionalString(entry, "auth", path) ?? "";
  const text = Buffer.from(auth, "base64").toString().replace(/\0+$/, "");
  const colon = text.indexOf(":");
  const username = colon < 0 ? optionalString(entry, "username", path) : text.slice(0, colon);
  const password = colon < 0 ? optionalString(entry, "password", path) : text.slice(colon + 1);
  if (identityToken !== undefined) return { identityToken, ...(username ? { username } : {}) };
  return username && password !== undefined ? { username, password } : undefined;
}

function authEntry({ username = "", password = "", identityToken }: Credentials): JsonObject {
  const auth = Buffer.from(`${username}:${identityToken === undefined ? password : ""}`).toString(
    "base64",
  );
  return identityToken === undefined ? { auth } : { auth, identitytoken: identityToken };
}

/** Whether an entry, which may be a URL of old, is for the host; the whole host and port must be equal. */
function isFor(entry: string, key: string): boolean {
  const host = entry.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
  return (
    entry === key || host === key || (key === DOCKER_HUB_KEY && DOCKER_HUB_HOSTS.includes(host))
  );
}
