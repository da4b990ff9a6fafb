/** One repository at one endpoint, in the words of the distribution specification v1.1. */
import { type Digest, digestOf, excerpt, isDigest } from "../digest.ts";
import { imageError } from "../errors.ts";
import { MAX_JSON_BYTES } from "../json.ts";
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from "../media-type.ts";
import type { Authorizer } from "./authorizer.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "./http-client.ts";
import { statusError } from "./registry-error.ts";

export interface ClientOptions {
  readonly http: HttpClient;
  readonly authorizer: Authorizer;
  readonly endpoint: Endpoint;
  /** repository below the endpoint, such as `library/busybox` */
  readonly repository: string;
  /** what is to be done there */
  readonly actions: "pull" | "pull,push";
}

export interface FetchedManifest {
  readonly digest: Digest;
  readonly bytes: Buffer;
  /** as the registry states it */
  readonly mediaType: string | undefined;
}

export interface ClientRequest extends Omit<HttpRequest, "url" | "authorization"> {
  /** path below the repository, such as `manifests/latest`, or a whole URL of the same registry */
  readonly path: string | URL;
  /** scopes beside the repository's own */
  readonly moreScope?: string;
}

const ACCEPT = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(", ");
/** Longest error document read, in `bytes`. */
const MAX_ERROR_BYTES = 64 * 1024;

export class RegistryClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** registry and repository, for messages */
  get where(): string {
    return `${this.#options.endpoint.base.host}/${this.#options.repository}`;
  }

  /** Sends a request with what the registry wants to see. Any status but 401 is an answer. @throws REGISTRY_* */
  async send(request: ClientRequest): Promise<HttpResponse> {
    const { http, authorizer, endpoint } = this.#options;
    const url = this.#url(request.path);
    const scope = this.#scope(request.moreScope);
    for (let tries = 1; ; tries++) {
      // An upload may be sent to another host, which gets no credentials.
      const isOwn = url.origin === endpoint.base.origin;
      const authorization = isOwn ? await authorizer.header(scope, request.signal) : undefined;
      const response = await http.send({ ...request, url, authorization });
      if (response.status !== 401 || !isOwn) return response;
      const challenge = response.header("www-authenticate");
      const body = await response.bytes(MAX_ERROR_BYTES);
      const again = tries < 3 && (await authorizer.refused(challenge, scope, authorization));
      if (!again)
        throw statusError({ status: 401, where: this.where, what: String(request.path), body });
    }
  }

  /**
   * Gets a manifest or index.
   * @param reference tag or digest
   * @throws IMAGE_NOT_FOUND, DIGEST_MISMATCH, REGISTRY_*
   */
  async manifest(reference: string, signal?: AbortSignal): Promise<FetchedManifest> {
    const response = await this.send({
      method: "GET",
      path: `manifests/${reference}`,
      headers: { accept: ACCEPT },
      signal,
    });
    if (response.status !== 200) throw await this.refusal(response, `manifest ${reference}`);
    const bytes = await response.bytes(MAX_JSON_BYTES);
    const digest = digestOf(bytes);
    const stated = isDigest(reference) ? reference : response.header("docker-content-digest");
    if (stated !== undefined && isDigest(stated) && stated !== digest)
      throw imageError(
        "DIGEST_MISMATCH",
        `${this.where}: manifest ${stated} has the digest ${digest}`,
      );
    return { digest, bytes, mediaType: response.header("content-type") };
  }

  /** Gets a small blob whole. @throws MANIFEST_INVALID, DIGEST_MISMATCH, IMAGE_NOT_FOUND, REGISTRY_* */
  async smallBlob(
    { digest, size }: { readonly digest: Digest; readonly size: number },
    signal?: AbortSignal,
  ): Promise<Buffer> {
    if (size > MAX_JSON_BYTES)
      throw imageError(
        "MANIFEST_INVALID",
        `blob ${digest}: ${size} bytes long, the limit is ${MAX_JSON_BYTES}`,
      );
    const response = await this.send({ method: "GET", path: `blobs/${digest}`, signal });
    if (response.status !== 200) throw await this.refusal(response, `blob ${digest}`);
    const bytes = await response.bytes(MAX_JSON_BYTES);
    const actual = digestOf(bytes);
    if (actual !== digest || bytes.length !== size)
      throw imageError(
        "DIGEST_MISMATCH",
        `${this.where}: blob ${digest} of ${size} bytes has the digest ${actual} and ${bytes.length} bytes`,
      );
    return bytes;
  }

  /** Whether a blob is there. */
  async hasBlob(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    const response = await this.send({ method: "HEAD", path: `blobs/${digest}`, signal });
    await response.discard();
    if (response.status === 200) return true;
    if (response.status === 404) return false;
    throw statusError({
      status: response.status,
      where: this.where,
      what: `blob ${digest}`,
      body: Buffer.alloc(0),
    });
  }

  /** The error for an answer that is no success. */
  async refusal(response: HttpResponse, what: string): Promise<Error> {
    const body = await response.bytes(MAX_ERROR_BYTES).catch(() => Buffer.alloc(0));
    return statusError({ status: response.status, where: this.where, what: excerpt(what), body });
  }

  #url(path: string | URL): URL {
    if (path instanceof URL) return path;
    const { endpoint, repository } = this.#options;
    const prefix = endpoint.base.pathname.replace(/\/+$/, "");
    return new URL(`${prefix}/v2/${repository}/${path}`, endpoint.base);
  }

  #scope(more: string | undefined): string {
    const { repository, actions } = this.#options;
    return [`repository:${repository}:${actions}`, ...(more === undefined ? [] : [more])].join(" ");
  }
}
