/**
 * Reads layers in parallel, each on a thread of its own; small ones on this thread, which is sooner done. The threads are
 * the process's: what it reads at once, and the memory for it, is the same for one image and for ten.
 */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { type ImageErrorCode, imageError, isImageErrorCode } from "../errors.ts";
import { type BlobInput, blobChunks } from "./blob-input.ts";
import { RingWriter, ringMemory } from "./chunk-ring.ts";
import { type Borrower, FairPlaces, refuseCancelled } from "./fair-places.ts";
import { freeing } from "./free-memory.ts";
import type { FromWorker, LayerJob } from "./layer-job.ts";
import type { LayerLimits } from "./limits.ts";
import { type ExpectedLayer, type LayerSummary, readLayer } from "./read-layer.ts";

/** Blobs up to this length are read on this thread, in `bytes`: a thread takes as long to start. */
const INLINE_BYTES = 2 * 1024 * 1024;
/** Most that are read on this thread at once. */
const INLINE_AT_ONCE = 2;
/** Name of the thread's program beside a program's bundle. */
const BUNDLE = "layer-worker.cjs";
/** Most threads, whatever the number of cores: each takes some 20 MB. */
const MAX_THREADS = 4;
/** Young generation of a thread, in `MiB`: little that a layer is read with lives long, and the default is a multiple. */
const YOUNG_GENERATION = 2;

export interface PoolJob {
  readonly input: BlobInput;
  readonly expected: ExpectedLayer;
  /** folder that takes the layer's files; it has to be there and empty */
  readonly folder: string;
  readonly limits: LayerLimits;
  readonly onProgress: (bytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** A thread, and the memory by which blobs come to it. */
interface Thread {
  readonly worker: Worker;
  readonly bytes: SharedArrayBuffer;
}

/** The process's threads, for as long as somebody has borrowed them. */
let shared: { readonly pool: LayerPool; borrowers: number } | undefined;

/** A share in the process's threads; they end when the last one is given back. */
export interface BorrowedPool extends AsyncDisposable {
  /** Reads one layer; any number may be asked for at once, and come in turn with other borrowers'. @throws what readLayer throws, LOAD_CANCELLED */
  readonly run: (job: PoolJob) => Promise<LayerSummary>;
}

export function borrowLayerPool(): BorrowedPool {
  shared ??= { pool: new LayerPool(), borrowers: 0 };
  const lent = shared;
  lent.borrowers++;
  const borrower = {};
  return {
    run: (job) => lent.pool.run(borrower, job),
    async [Symbol.asyncDispose]() {
      if (--lent.borrowers > 0) return;
      shared = undefined;
      await lent.pool[Symbol.asyncDispose]();
    },
  };
}

/** A set of threads that grows to a thread a core and ends with the pool. */
class LayerPool implements AsyncDisposable {
  readonly #all = new Set<Thread>();
  readonly #ending = new Set<Promise<unknown>>();
  /** threads whose place was handed on, for the one who has it */
  readonly #free: Thread[] = [];
  readonly #places = new FairPlaces(Math.min(availableParallelism(), MAX_THREADS));
  readonly #inline = new FairPlaces(INLINE_AT_ONCE);

  async run(borrower: Borrower, job: PoolJob): Promise<LayerSummary> {
    const length = job.input.kind === "range" ? job.input.length : job.expected.size;
    if (length !== undefined && length <= INLINE_BYTES) return this.#runInline(borrower, job);
    await this.#places.take(borrower, job.signal);
    let thread: Thread | undefined;
    try {
      thread = this.#takeFree() ?? this.#start();
      refuseCancelled(job.signal);
      return await readOn(thread, job);
    } finally {
      const isWanted = this.#places.giveBack(borrower);
      if (thread !== undefined && isWanted) this.#free.push(thread);
      else if (thread !== undefined) this.#end(thread);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#ending, ...[...this.#all].map(({ worker }) => worker.terminate())]);
  }

  async #runInline(borrower: Borrower, job: PoolJob): Promise<LayerSummary> {
    await this.#inline.take(borrower, job.signal);
    try {
      refuseCancelled(job.signal);
      return await readInline(job);
    } finally {
      this.#inline.giveBack(borrower);
    }
  }

  /** One that died is of no use; another takes its place. */
  #takeFree(): Thread | undefined {
    const thread = this.#free.pop();
    return thread !== undefined && this.#all.has(thread) ? thread : undefined;
  }

  #start(): Thread {
    const worker = new Worker(workerProgram(), {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
    });
    const thread = { worker, bytes: ringMemory().bytes };
    this.#all.add(thread);
    worker.on("exit", () => this.#all.delete(thread));
    return thread;
  }

  /** One that nobody waits for ends: it holds more memory than it takes time to start another. */
  #end(thread: Thread): void {
    if (!this.#all.delete(thread)) return;
    const ended = thread.worker.terminate().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}

/** The bundle beside that of the program that runs, which starts sooner, or the source. */
function workerProgram(program: string = process.argv[1] ?? ""): string | URL {
  const bundle = join(dirname(program), BUNDLE);
  if (program.endsWith(".cjs") && existsSync(bundle)) return bundle;
  return new URL("./layer-worker.ts", import.meta.url);
}

async function readInline({ signal, input, onProgress, ...rest }: PoolJob): Promise<LayerSummary> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of blobChunks(input)) {
      refuseCancelled(signal);
      yield chunk;
      onProgress(chunk.length);
    }
  }
  return readLayer({ ...rest, input: chunks() });
}

async function readOn({ worker, bytes }: Thread, job: PoolJob): Promise<LayerSummary> {
  const { input, expected, folder, limits, signal, onProgress } = job;
  const ring = ringMemory(bytes);
  const writer = new RingWriter(ring);
  const cancel = (): void => writer.cancel();
  const result = awaitResult(worker, onProgress);
  signal?.addEventListener("abort", cancel);
  try {
    const file = input.kind === "range" ? input : undefined;
    worker.postMessage({ file, ring, expected, folder, limits } satisfies LayerJob);
    const fed = input.kind === "stream" ? feed(writer, input.chunks, onProgress) : undefined;
    const settled = await Promise.allSettled([result]);
    // Of a thread that is done, whatever the end, the feeding is over too.
    writer.cancel();
    const feedError = await fed;
    if (feedError !== undefined) throw feedError.error;
    if (settled[0].status === "rejected") throw settled[0].reason;
    return settled[0].value;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/** Writes a stream's chunks to a thread. @returns what the stream failed with */
async function feed(
  writer: RingWriter,
  chunks: AsyncIterable<Uint8Array>,
  onProgress: (bytes: number) => void,
): Promise<{ readonly error: unknown } | undefined> {
  try {
    for await (const chunk of freeing(chunks)) {
      if (!(await writer.write(chunk))) return undefined;
      onProgress(chunk.length);
    }
    writer.end();
    return undefined;
  } catch (error) {
    writer.cancel();
    return { error };
  }
}

function awaitResult(worker: Worker, onProgress: (bytes: number) => void): Promise<LayerSummary> {
  return new Promise<LayerSummary>((resolve, reject) => {
    const settle = (act: () => void): void => {
      worker.off("message", onMessage);
      worker.off("error", onError);
      worker.off("exit", onExit);
      act();
    };
    const onMessage = (message: FromWorker): void => {
      if (message.kind === "progress") onProgress(message.bytes);
      else if (message.kind === "done") settle(() => resolve(message.summary));
      else settle(() => reject(fromWorkerError(message.code, message.message)));
    };
    const onError = (error: unknown): void => settle(() => reject(error));
    const onExit = (): void => settle(() => reject(new Error("layer thread ended")));
    worker.on("message", onMessage);
    worker.on("error", onError);
    worker.on("exit", onExit);
  });
}

function fromWorkerError(code: string | undefined, message: string): Error {
  const known: ImageErrorCode | undefined = isImageErrorCode(code) ? code : undefined;
  return known === undefined ? new Error(message) : imageError(known, message);
}
