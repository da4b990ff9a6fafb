/** What one command does with registries: connections, tokens and endpoints, shared by all of its requests. */
import type { Dispatcher } from "undici";
import type { NamedReference } from "../reference.ts";
import { Authorizer } from "./authorizer.ts";
import type { Credentials } from "./credentials.ts";
import { Dispatchers } from "./dispatchers.ts";
import { findCredentials } from "./docker-config.ts";
import { type Endpoint, endpointsOf, originOf } from "./endpoint.ts";
import { HttpClient } from "./http-client.ts";
import { RegistryClient } from "./registry-client.ts";
import type { RegistrySettings } from "./registry-settings.ts";
import { type Sleep, sleep } from "./retry.ts";

export interface RegistrySessionOptions {
  readonly settings: RegistrySettings;
  /** credentials to use in place of those in Docker's configuration; "none": neither */
  readonly credentials?: Credentials | "none";
  /** told of each new try */
  readonly onRetry?: (reason: string) => void;
  /** stand-ins for tests */
  readonly dispatcherFor?: (url: URL) => Promise<Dispatcher>;
  readonly sleep?: Sleep;
}

export class RegistrySession implements AsyncDisposable {
  readonly http: HttpClient;
  readonly settings: RegistrySettings;
  readonly #options: RegistrySessionOptions;
  readonly #dispatchers: Dispatchers;
  readonly #authorizers = new Map<string, Authorizer>();
  readonly #origins = new Map<string, Promise<Endpoint>>();

  constructor(options: RegistrySessionOptions) {
    const { settings, onRetry } = options;
    this.#options = options;
    this.settings = settings;
    this.#dispatchers = new Dispatchers(settings);
    this.http = new HttpClient({
      settings,
      dispatcherFor: options.dispatcherFor ?? ((url) => this.#dispatchers.for(url)),
      sleep: options.sleep ?? sleep,
      ...(onRetry === undefined ? {} : { onRetry }),
    });
  }

  /** Clients for pulling, in the order in which they are to be tried. */
  async pullClients(
    reference: NamedReference,
    signal?: AbortSignal,
  ): Promise<readonly RegistryClient[]> {
    const endpoints = await endpointsOf(reference, this.settings, { http: this.http, signal });
    return endpoints.map((endpoint) => this.#client(endpoint, reference.path, "pull"));
  }

  /** The client for pushing: mirrors are not pushed to. */
  async pushClient(reference: NamedReference): Promise<RegistryClient> {
    return this.#client(await this.origin(reference.domain), reference.path, "pull,push");
  }

  /** The client for what mirrors are not asked. */
  async originClient(reference: NamedReference): Promise<RegistryClient> {
    return this.#client(await this.origin(reference.domain), reference.path, "pull");
  }

  /** The registry of a domain. */
  origin(domain: string): Promise<Endpoint> {
    const known = this.#origins.get(domain);
    if (known !== undefined) return known;
    const found = originOf(domain, this.settings, { http: this.http });
    this.#origins.set(domain, found);
    return found;
  }

  authorizer({ base, host }: Endpoint): Authorizer {
    const key = `${base.origin} ${host}`;
    const known = this.#authorizers.get(key);
    if (known !== undefined) return known;
    const { credentials, settings } = this.#options;
    const made = new Authorizer({
      http: this.http,
      settings,
      host: base.host,
      credentials: async () => {
        if (credentials === "none") return undefined;
        return credentials ?? (await findCredentials(settings.dockerConfig, host));
      },
    });
    this.#authorizers.set(key, made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatchers[Symbol.asyncDispose]();
  }

  #client(endpoint: Endpoint, repository: string, actions: "pull" | "pull,push"): RegistryClient {
    const authorizer = this.authorizer(endpoint);
    return new RegistryClient({ http: this.http, authorizer, endpoint, repository, actions });
  }
}
