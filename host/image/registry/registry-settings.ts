/**
 * What the user says of registries: `registries.json` in the data root, and the environment, which adds to it.
 *
 *   {"version": 1, "insecure": ["HOST[:PORT]"], "mirrors": {"docker.io": ["https://HOST"]}, "ca": ["FILE"]}
 *
 *   DVM_INSECURE_REGISTRIES  HOST[:PORT], separated by commas
 *   DVM_REGISTRY_MIRRORS     DOMAIN=URL, separated by commas
 *   DVM_REGISTRY_CA          PEM files, separated by colons
 *   DOCKER_CONFIG            folder of config.json
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { asObject, invalid, optionalStrings, parseJsonObject } from "../json.ts";
import { readIfThere } from "../store-folder.ts";

export interface RegistrySettings {
  /** hosts, `HOST[:PORT]`, that may be spoken to without TLS */
  readonly insecure: readonly string[];
  /** base URLs to try before the registry itself, by domain */
  readonly mirrors: ReadonlyMap<string, readonly URL[]>;
  /** PEM files of authorities trusted for every registry */
  readonly caFiles: readonly string[];
  /** folders that hold `HOST[:PORT]/*.crt` */
  readonly certificateFolders: readonly string[];
  /** Docker's own configuration, which has the credentials */
  readonly dockerConfig: string;
  /** whether HTTP_PROXY and its like count */
  readonly proxies: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const MAX_HOSTS = 1000;
const SETTINGS_VERSION = 1;

/**
 * Reads the settings.
 * @param dataRoot folder that may hold `registries.json`
 * @throws MANIFEST_INVALID for a file that is not of the form above
 */
export async function readRegistrySettings(
  dataRoot: string | undefined,
  environment: Environment = process.env,
): Promise<RegistrySettings> {
  const file = dataRoot === undefined ? emptyFile : await readFile(dataRoot);
  const mirrors = new Map(file.mirrors);
  for (const text of split(environment.DVM_REGISTRY_MIRRORS, ",")) {
    const equals = text.indexOf("=");
    const domain = text.slice(0, Math.max(equals, 0));
    mirrors.set(domain, [
      ...(mirrors.get(domain) ?? []),
      mirrorUrl(text.slice(equals + 1), "DVM_REGISTRY_MIRRORS"),
    ]);
  }
  return {
    insecure: [...file.insecure, ...split(environment.DVM_INSECURE_REGISTRIES, ",")],
    mirrors,
    caFiles: [...file.caFiles, ...split(environment.DVM_REGISTRY_CA, ":")],
    certificateFolders: ["/etc/docker/certs.d", join(homedir(), ".config/docker/certs.d")],
    dockerConfig: dockerConfigPath(environment),
    proxies: true,
  };
}

/** Path of Docker's own configuration of the user. */
export function dockerConfigPath(environment: Environment): string {
  return join(environment.DOCKER_CONFIG || join(homedir(), ".docker"), "config.json");
}

/** Whether a host may be spoken to without TLS: this machine, and those that the user names. */
export function mayBePlain(host: string, settings: Pick<RegistrySettings, "insecure">): boolean {
  return isLoopback(host) || settings.insecure.includes(host);
}

/** Whether `HOST[:PORT]` is this machine: `localhost`, 127.0.0.0/8 or ::1. */
export function isLoopback(host: string): boolean {
  const name = host.startsWith("[")
    ? host.slice(1, host.indexOf("]"))
    : host.replace(/:[0-9]+$/, "");
  return name === "localhost" || name === "::1" || /^127(?:\.[0-9]{1,3}){3}$/.test(name);
}

type FileSettings = Pick<RegistrySettings, "insecure" | "mirrors" | "caFiles">;
const emptyFile: FileSettings = { insecure: [], mirrors: new Map(), caFiles: [] };

async function readFile(dataRoot: string): Promise<FileSettings> {
  const where = join(dataRoot, "registries.json");
  const bytes = await readIfThere(where);
  if (bytes === undefined) return emptyFile;
  const document = parseJsonObject(bytes, where);
  if (document.version !== SETTINGS_VERSION)
    throw invalid(where, `version is not ${SETTINGS_VERSION}`);
  const strings = (key: string) => optionalStrings(document, key, { where, max: MAX_HOSTS }) ?? [];
  const mirrors = asObject(document.mirrors ?? {}, `${where}: mirrors`);
  return {
    insecure: strings("insecure"),
    caFiles: strings("ca"),
    mirrors: new Map(
      Object.keys(mirrors).map((domain) => {
        const urls = optionalStrings(mirrors, domain, { where, max: MAX_HOSTS }) ?? [];
        return [domain, urls.map((url) => mirrorUrl(url, where))];
      }),
    ),
  };
}

function mirrorUrl(text: string, where: string): URL {
  const url = URL.parse(text);
  if (url === null || !["https:", "http:"].includes(url.protocol) || url.username !== "")
    throw invalid(where, `not the URL of a mirror: ${text}`);
  return url;
}

function split(text: string | undefined, separator: string): string[] {
  return (text ?? "")
    .split(separator)
    .map((item) => item.trim())
    .filter((item) => item !== "");
}
