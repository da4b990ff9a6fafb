/** Connections to registries: one pool a host, with the authorities that are trusted for it, directly or by proxy. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates } from "node:tls";
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import { imageError } from "../errors.ts";
import { isMissing } from "../store-folder.ts";
import { isLoopback, type RegistrySettings } from "./registry-settings.ts";

/** Most connections to one host. */
const CONNECTIONS = 6;
const CONNECT_TIMEOUT = 15_000;
/** Longest silence of a server before and within an answer, in `milliseconds`. */
const SILENCE_TIMEOUT = 60_000;
/** Longest PEM file taken, in `bytes`. */
const MAX_PEM = 4 * 1024 * 1024;

export class Dispatchers implements AsyncDisposable {
  readonly #settings: RegistrySettings;
  readonly #byHost = new Map<string, Promise<Dispatcher>>();

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
  }

  /** The connections for a URL. @throws REGISTRY_TLS for an authority's file that cannot be read */
  for(url: URL): Promise<Dispatcher> {
    const known = this.#byHost.get(url.origin);
    if (known !== undefined) return known;
    const made = this.#make(url);
    this.#byHost.set(url.origin, made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const settled = await Promise.allSettled(this.#byHost.values());
    for (const result of settled) if (result.status === "fulfilled") await result.value.destroy();
  }

  async #make(url: URL): Promise<Dispatcher> {
    const ca = url.protocol === "https:" ? await this.#authorities(url.host) : undefined;
    const tls = ca === undefined ? {} : { ca };
    const options = {
      connections: CONNECTIONS,
      allowH2: false,
      headersTimeout: SILENCE_TIMEOUT,
      bodyTimeout: SILENCE_TIMEOUT,
      connect: { timeout: CONNECT_TIMEOUT, ...tls },
    };
    // No proxy can reach this machine's own loopback.
    if (!this.#settings.proxies || isLoopback(url.host)) return new Agent(options);
    return new EnvHttpProxyAgent({ ...options, requestTls: tls });
  }

  /** Authorities beside those of Node: the machine's, the user's and the host's own; `undefined` when there are none. */
  async #authorities(host: string): Promise<string[] | undefined> {
    const files = [...this.#settings.caFiles];
    for (const folder of this.#settings.certificateFolders)
      files.push(...(await certificateFiles(join(folder, host))));
    const own = await Promise.all(files.map(readPem));
    // Reading the machine's authorities takes a while, and a loopback's are in the files.
    const system = isLoopback(host) ? [] : getCACertificates("system");
    return [...getCACertificates("default"), ...system, ...own];
  }
}

async function certificateFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder))
      .filter((name) => name.endsWith(".crt"))
      .map((name) => join(folder, name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw imageError("REGISTRY_TLS", `cannot read ${folder}`, { cause: error });
  }
}

async function readPem(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw imageError("REGISTRY_TLS", `cannot read ${path}`, { cause });
  });
  if (bytes.length > MAX_PEM)
    throw imageError("REGISTRY_TLS", `too large for a certificate: ${path}`);
  return bytes.toString();
}
