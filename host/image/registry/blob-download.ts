/** A blob as it streams from a registry; what was interrupted goes on where it stopped. */
import type { Digest } from "../digest.ts";
import { imageError } from "../errors.ts";
import type { HttpClient, HttpResponse } from "./http-client.ts";
import type { RegistryClient } from "./registry-client.ts";
import { connectionError, isPassing } from "./registry-error.ts";
import { MAX_TRIES } from "./retry.ts";
import { LEAST_BYTES, steadyStream } from "./steady-stream.ts";

export interface BlobDownload {
  readonly client: RegistryClient;
  readonly http: HttpClient;
  readonly digest: Digest;
  /** length as the manifest states it, in `bytes` */
  readonly size: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Yields the blob in chunks with memory of their own. Its digest is the reader's to check; its length is not passed.
 * @throws IMAGE_NOT_FOUND, DIGEST_MISMATCH for a length that is not the stated one, REGISTRY_*, LOAD_CANCELLED
 */
export async function* downloadBlob(download: BlobDownload): AsyncGenerator<Uint8Array> {
  const { http, digest, size, signal, client } = download;
  let done = 0;
  for (let tries = 1; ; tries++) {
    const before = done;
    try {
      for await (const chunk of ranged(download, done)) {
        done += chunk.length;
        yield chunk;
      }
      if (done === size) return;
      if (done > size || tries >= MAX_TRIES)
        throw imageError(
          "DIGEST_MISMATCH",
          `${client.where}: blob ${digest} ends after ${done} of ${size} bytes`,
        );
    } catch (error) {
      if (signal?.aborted === true)
        throw imageError("LOAD_CANCELLED", "cancelled", { cause: signal.reason });
      if (error instanceof Error && error.name === "DvmError") throw error;
      const explained = connectionError(error, client.where);
      if (!isPassing(error) || tries >= MAX_TRIES) throw explained;
    }
    // Only tries that bring next to nothing count.
    if (done - before >= LEAST_BYTES) tries = 0;
    await http.pause(Math.max(tries, 1), signal);
  }
}

/** The rest of the blob; a registry that knows no ranges sends the whole, and its beginning is passed over. */
async function* ranged(
  { client, digest, signal, size }: BlobDownload,
  from: number,
): AsyncGenerator<Uint8Array> {
  const headers: Record<string, string> = from === 0 ? {} : { range: `bytes=${from}-` };
  const response = await client.send({ method: "GET", path: `blobs/${digest}`, headers, signal });
  let skip = await bytesToSkip(response, { client, digest, from });
  let left = size - from;
  const tooSlow = (): Error =>
    imageError("REGISTRY_TIMEOUT", `${client.where}: blob ${digest} comes too slowly`);
  for await (const chunk of steadyStream(response.body, { tooSlow })) {
    const rest = skip >= chunk.length ? chunk.subarray(chunk.length) : chunk.subarray(skip);
    skip -= chunk.length - rest.length;
    if (rest.length === 0) continue;
    left -= rest.length;
    // Leaving here ends the connection.
    if (left < 0)
      throw imageError(
        "DIGEST_MISMATCH",
        `${client.where}: blob ${digest} is longer than its ${size} bytes`,
      );
    yield rest;
  }
}

async function bytesToSkip(
  response: HttpResponse,
  { client, digest, from }: { client: RegistryClient; digest: Digest; from: number },
): Promise<number> {
  if (response.status === 200) return from;
  if (response.status === 416) {
    await response.discard();
    throw imageError("DIGEST_MISMATCH", `${client.where}: blob ${digest} ends after ${from} bytes`);
  }
  if (response.status !== 206 || from === 0) throw await client.refusal(response, `blob ${digest}`);
  const range = /^bytes ([0-9]+)-/.exec(response.header("content-range") ?? "");
  if (range !== null && Number(range[1]) === from) return 0;
  await response.discard();
  throw imageError(
    "REGISTRY_PROTOCOL",
    `${client.where}: blob ${digest}: another range than asked for`,
  );
}
