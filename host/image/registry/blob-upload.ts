/** Uploads a blob: in one request when it is small, else in chunks that resume where the registry says they stopped. */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import type { Digest } from "../digest.ts";
import { imageError } from "../errors.ts";
import type { HttpClient, HttpResponse } from "./http-client.ts";
import type { RegistryClient } from "./registry-client.ts";
import { MAX_TRIES } from "./retry.ts";

/** A blob to upload: bytes in memory, or a file. */
export interface UploadBlob {
  readonly digest: Digest;
  /** length, in `bytes` */
  readonly size: number;
  readonly content: { readonly bytes: Uint8Array } | { readonly path: string };
}

export interface UploadOptions {
  readonly client: RegistryClient;
  readonly http: HttpClient;
  readonly onProgress: (done: number) => void;
  readonly signal: AbortSignal | undefined;
  /** length of a chunk of a blob that is longer, in `bytes`; CHUNK_BYTES unless given */
  readonly chunkBytes?: number;
}

/** Length of a chunk of a large blob, in `bytes`; smaller blobs go in one piece. */
const CHUNK_BYTES = 32 * 1024 * 1024;

/**
 * Uploads a blob (distribution-spec v1.1, "Pushing blobs").
 * @throws REGISTRY_*, LOAD_CANCELLED
 */
export async function uploadBlob(blob: UploadBlob, options: UploadOptions): Promise<void> {
  const { client, onProgress, signal, chunkBytes = CHUNK_BYTES } = options;
  const begun = await begin(options);
  const whole = blob.size <= chunkBytes;
  const last = whole ? { from: 0, location: begun } : await sendChunks(blob, begun, options);
  const response = await client.send({
    method: "PUT",
    path: withDigest(last.location, blob.digest),
    headers: contentHeaders(blob.size - last.from),
    body: () => slice(blob, last.from, blob.size),
    signal,
  });
  if (response.status !== 201)
    throw await client.refusal(response, `upload of blob ${blob.digest}`);
  await response.discard();
  onProgress(blob.size);
}

/** Begins an upload. @returns where to send the blob */
async function begin({ client, signal }: UploadOptions): Promise<URL> {
  const headers = { "content-length": "0" };
  const response = await client.send({ method: "POST", path: "blobs/uploads/", headers, signal });
  if (response.status !== 202) throw await client.refusal(response, "upload");
  await response.discard();
  return uploadLocation(response, client);
}

/** Sends all but the last chunk. @returns where the rest begins, and where to send it */
async function sendChunks(
  blob: UploadBlob,
  begun: URL,
  { client, http, onProgress, signal, chunkBytes = CHUNK_BYTES }: UploadOptions,
): Promise<{ readonly from: number; readonly location: URL }> {
  let location = begun;
  let from = 0;
  for (let tries = 1; blob.size - from > chunkBytes; ) {
    const to = from + chunkBytes;
    try {
      const response = await client.send({
        method: "PATCH",
        path: location,
        headers: { ...contentHeaders(to - from), "content-range": `${from}-${to - 1}` },
        body: () => slice(blob, from, to),
        once: true,
        signal,
      });
      if (response.status !== 202)
        throw await client.refusal(response, `upload of blob ${blob.digest}`);
      await response.discard();
      location = uploadLocation(response, client);
      from = to;
      tries = 1;
      onProgress(from);
    } catch (error) {
      if (signal?.aborted === true || tries >= MAX_TRIES) throw error;
      await http.pause(tries++, signal);
      ({ from, location } = await whereItStopped(location, { client, signal, cause: error }));
    }
  }
  return { from, location };
}

/** Asks how much of an upload has come (distribution-spec v1.1, "Pushing a blob in chunks"). */
async function whereItStopped(
  location: URL,
  options: {
    readonly client: RegistryClient;
    readonly signal: AbortSignal | undefined;
    readonly cause: unknown;
  },
): Promise<{ from: number; location: URL }> {
  const { client, signal, cause } = options;
  const response = await client.send({ method: "GET", path: location, signal });
  await response.discard();
  if (response.status !== 204) throw cause;
  const range = /^(?:bytes=)?0-([0-9]+)$/.exec(response.header("range") ?? "");
  const next =
    response.header("location") === undefined ? location : uploadLocation(response, client);
  // A registry that has nothing yet says "0-0", as it does with one byte.
  const last = Number(range?.[1] ?? 0);
  return { from: last === 0 ? 0 : last + 1, location: next };
}

function uploadLocation(response: HttpResponse, client: RegistryClient): URL {
  const location = URL.parse(response.header("location") ?? "", response.url.href);
  const safe = location?.protocol === "https:" || location?.protocol === response.url.protocol;
  if (response.header("location") === undefined || location === null || !safe)
    throw imageError(
      "REGISTRY_PROTOCOL",
      `${client.where}: the registry names no place to upload to`,
    );
  return location;
}

function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.searchParams.set("digest", digest);
  return url;
}

function contentHeaders(length: number): Record<string, string> {
  return { "content-type": "application/octet-stream", "content-length": String(length) };
}

function slice({ content }: UploadBlob, from: number, to: number): Uint8Array | Readable {
  if ("bytes" in content) return content.bytes.subarray(from, to);
  if (from === to) return Readable.from([]);
  return createReadStream(content.path, { start: from, end: to - 1, highWaterMark: 256 * 1024 });
}
