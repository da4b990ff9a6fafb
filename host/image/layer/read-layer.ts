/**
 * Reads a layer in one pass while it streams: compressed digest, decompression, diff ID, tar, file data. Memory is
 * bounded whatever the layer's size.
 */
import { createHash, type Hash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LayerEntry } from "../../rootfs/entry.ts";
import { type Digest, fromHex } from "../digest.ts";
import { imageError } from "../errors.ts";
import { decompress } from "./compression.ts";
import { DataFile } from "./data-file.ts";
import { EntriesEncoder } from "./entries-file.ts";
import { toLayerEntry, withData } from "./layer-entry.ts";
import type { LayerLimits } from "./limits.ts";
import { SkeletonWriter } from "./skeleton.ts";
import type { TarMember } from "./tar-member.ts";
import { TarReader, type TarSink } from "./tar-reader.ts";

/** What a layer has to be. */
export interface ExpectedLayer {
  /** digest of the uncompressed tar stream */
  readonly diffId: Digest;
  /** digest of the blob as it comes; `undefined` where the source states none */
  readonly digest: Digest | undefined;
  /** length of the blob as it comes, in `bytes`; `undefined` where the source states none */
  readonly size: number | undefined;
}

/** What a layer turned out to be. */
export interface LayerSummary {
  /** number of entries */
  readonly entries: number;
  /** length of the data file, in `bytes` */
  readonly dataLength: number;
  /** length of the uncompressed tar stream, in `bytes` */
  readonly unpacked: number;
  /** length of the blob as it came, in `bytes` */
  readonly compressed: number;
}

export interface ReadLayerOptions {
  /** chunks of the blob, each valid until the next one is asked for */
  readonly input: AsyncIterable<Uint8Array>;
  readonly expected: ExpectedLayer;
  /** folder that takes the layer's files; it has to be there and empty */
  readonly folder: string;
  readonly limits: LayerLimits;
  /** told of the blob's bytes as they come, in `bytes` since the last call */
  readonly onProgress?: (bytes: number) => void;
}

/** Names of the files in a layer's folder. */
export const DATA_FILE = "data";
export const ENTRIES_FILE = "entries";
export const SKELETON_FILE = "skeleton";

/**
 * Reads a layer into a folder.
 * @throws DIGEST_MISMATCH, LAYER_CORRUPT, LAYER_ENTRY_REFUSED, LAYER_LIMIT_EXCEEDED, and what the input throws
 */
export async function readLayer(options: ReadLayerOptions): Promise<LayerSummary> {
  const blob = new VerifiedBlob(options);
  const tar = new StreamCheck(options, blob);
  await using files = await LayerFiles.open(options.folder, options.limits);
  const reader = new TarReader(files, options.limits);
  try {
    for await (const chunk of decompress(blob)) {
      tar.add(chunk);
      reader.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
      if (files.room !== undefined) await files.room;
    }
    reader.end();
  } catch (error) {
    // Bytes that are not the blob's own fail in many ways; the one to report is that they are not.
    await blob.finish();
    throw error;
  }
  await blob.finish();
  tar.finish();
  const { entries, dataLength } = await files.finish();
  return { entries, dataLength, unpacked: tar.length, compressed: blob.length };
}

/** The blob as it comes: counted, hashed, and held against what it has to be. */
class VerifiedBlob implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #expected: ExpectedLayer;
  readonly #hash: Hash | undefined;
  readonly #onProgress: ((bytes: number) => void) | undefined;
  #failed = false;
  length = 0;

  constructor({ input, expected, onProgress }: ReadLayerOptions) {
    this.#chunks = input[Symbol.asyncIterator]();
    this.#expected = expected;
    this.#hash = expected.digest === undefined ? undefined : createHash("sha256");
    this.#onProgress = onProgress;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    // Without `return`: a consumer that stops early leaves the rest to `finish`.
    return { next: () => this.#next() };
  }

  /** Reads what the consumer left, and checks the whole. @throws DIGEST_MISMATCH */
  async finish(): Promise<void> {
    if (this.#failed) return;
    if (this.#hash !== undefined) while ((await this.#next()).done !== true);
    await this.#chunks.return?.();
    const { digest, size } = this.#expected;
    if (size !== undefined && this.length < size)
      throw imageError(
        "DIGEST_MISMATCH",
        `layer ${digest} is cut off: ${this.length} of ${size} bytes`,
      );
    if (digest === undefined || this.#hash === undefined) return;
    const actual = fromHex(this.#hash.digest("hex"));
    if (actual !== digest)
      throw imageError("DIGEST_MISMATCH", `layer ${digest} has the digest ${actual}`);
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    try {
      const next = await this.#chunks.next();
      if (next.done === true) return next;
      this.length += next.value.length;
      const { digest, size } = this.#expected;
      if (size !== undefined && this.length > size)
        throw imageError("DIGEST_MISMATCH", `layer ${digest} is longer than its ${size} bytes`);
      this.#hash?.update(next.value);
      this.#onProgress?.(next.value.length);
      return next;
    } catch (error) {
      this.#failed = true;
      await this.#chunks.return?.();
      throw error;
    }
  }
}

/** The uncompressed stream: counted against the limits and hashed against the diff ID. */
class StreamCheck {
  readonly #hash = createHash("sha256");
  readonly #expected: ExpectedLayer;
  readonly #limits: LayerLimits;
  readonly #blob: VerifiedBlob;
  length = 0;

  constructor({ expected, limits }: ReadLayerOptions, blob: VerifiedBlob) {
    this.#expected = expected;
    this.#limits = limits;
    this.#blob = blob;
  }

  add(chunk: Uint8Array): void {
    this.length += chunk.length;
    const { unpacked, ratio, ratioFrom } = this.#limits;
    if (this.length > unpacked)
      throw imageError("LAYER_LIMIT_EXCEEDED", `layer unpacks to more than ${unpacked} bytes`);
    if (this.length > ratioFrom && this.length > this.#blob.length * ratio)
      throw imageError(
        "LAYER_LIMIT_EXCEEDED",
        `layer unpacks to more than ${ratio} times its ${this.#blob.length} bytes`,
      );
    this.#hash.update(chunk);
  }

  finish(): void {
    const actual = fromHex(this.#hash.digest("hex"));
    if (actual !== this.#expected.diffId)
      throw imageError(
        "DIGEST_MISMATCH",
        `layer ${this.#expected.diffId} unpacks to the digest ${actual}`,
      );
  }
}

/** The files a layer becomes: its data, its entries, and what else its tar stream was made of. */
class LayerFiles implements TarSink, AsyncDisposable {
  readonly #folder: string;
  readonly #limits: LayerLimits;
  readonly #data: DataFile;
  readonly #skeleton: SkeletonWriter;
  readonly #entries = new EntriesEncoder();
  #entry: LayerEntry | undefined;

  private constructor(
    folder: string,
    limits: LayerLimits,
    files: { readonly data: DataFile; readonly skeleton: SkeletonWriter },
  ) {
    this.#folder = folder;
    this.#limits = limits;
    this.#data = files.data;
    this.#skeleton = files.skeleton;
  }

  static async open(folder: string, limits: LayerLimits): Promise<LayerFiles> {
    await using opened = new AsyncDisposableStack();
    const data = opened.use(new DataFile(join(folder, DATA_FILE)));
    const skeleton = opened.use(new SkeletonWriter(join(folder, SKELETON_FILE)));
    opened.move();
    return new LayerFiles(folder, limits, { data, skeleton });
  }

  member(member: TarMember): void {
    this.#entry = toLayerEntry(member);
    this.#data.begin(member.segments ?? [{ offset: 0, length: member.stored }]);
    if (this.#entries.count >= this.#limits.entries)
      throw imageError(
        "LAYER_LIMIT_EXCEEDED",
        `layer of more than ${this.#limits.entries} entries`,
      );
    if (this.#entries.length > this.#limits.metadata)
      throw imageError(
        "LAYER_LIMIT_EXCEEDED",
        `layer with more than ${this.#limits.metadata} bytes of names and attributes`,
      );
  }

  data(bytes: Buffer): void {
    this.#data.write(bytes);
  }

  memberEnd(): void {
    const { runs, pieces } = this.#data.end();
    for (const piece of pieces) this.#skeleton.piece(piece);
    if (this.#entry !== undefined) this.#entries.add(withData(this.#entry, runs));
  }

  literal(bytes: Buffer): void {
    this.#skeleton.literal(bytes);
  }

  /** What to wait for before more comes; `undefined`: nothing. */
  get room(): Promise<void> | undefined {
    return this.#data.room;
  }

  /** Makes all three last, at once: the file system has less to do than for one after another. */
  async finish(): Promise<{ entries: number; dataLength: number }> {
    const entries = writeFile(join(this.#folder, ENTRIES_FILE), this.#entries.finish(), {
      flush: true,
      mode: 0o600,
    });
    const written = [this.#data.finish(), this.#skeleton.finish(), entries] as const;
    await Promise.allSettled(written);
    const [dataLength] = await Promise.all(written);
    return { entries: this.#entries.count, dataLength };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#data[Symbol.asyncDispose]();
    this.#skeleton[Symbol.dispose]();
  }
}
