/** Where the repositories of a domain are to be asked for: mirrors first, then the registry itself. */
import { DEFAULT_DOMAIN, type NamedReference } from "../reference.ts";
import type { HttpClient } from "./http-client.ts";
import { networkCode, speaksNoTls } from "./registry-error.ts";
import { isLoopback, mayBePlain, type RegistrySettings } from "./registry-settings.ts";
import { speaksTls } from "./speaks-tls.ts";

export interface Endpoint {
  /** scheme, host and port, with a path before `/v2/` for some mirrors */
  readonly base: URL;
  /** host whose credentials count */
  readonly host: string;
  readonly isMirror: boolean;
}

/** How a host is asked what it speaks. */
export interface Asking {
  readonly http: HttpClient;
  readonly signal?: AbortSignal | undefined;
}

/** Docker Hub's registry has another host than its names. */
const DOCKER_HUB_REGISTRY = "registry-1.docker.io";

/** The endpoints of a domain, in the order in which they are to be tried. */
export async function endpointsOf(
  { domain }: Pick<NamedReference, "domain">,
  settings: RegistrySettings,
  asking: Asking,
): Promise<readonly Endpoint[]> {
  const mirrors = (settings.mirrors.get(domain) ?? []).map((base) => ({
    base,
    host: base.host,
    isMirror: true,
  }));
  return [...mirrors, await originOf(domain, settings, asking)];
}

/** The registry itself. A host that may speak plain HTTP is asked for TLS first; a bad certificate is no way to HTTP. */
export async function originOf(
  domain: string,
  settings: RegistrySettings,
  { http, signal }: Asking,
): Promise<Endpoint> {
  const host = domain === DEFAULT_DOMAIN ? DOCKER_HUB_REGISTRY : domain;
  const secure = { base: new URL(`https://${host}`), host: domain, isMirror: false };
  if (!mayBePlain(host, settings)) return secure;
  const plain = { ...secure, base: new URL(`http://${host}`) };
  // No proxy stands between this machine and itself.
  if (isLoopback(host) && (await speaksTls(secure.base, signal)) === false) return plain;
  try {
    const response = await http.send({
      method: "GET",
      url: new URL("/v2/", secure.base),
      once: true,
      signal,
    });
    await response.discard();
    return secure;
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (networkCode(cause) === undefined || !speaksNoTls(cause)) throw error;
    return plain;
  }
}
