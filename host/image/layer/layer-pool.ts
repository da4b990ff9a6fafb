/** Reads layers in parallel, each on a thread of its own; small ones on this thread, which is sooner done. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type ImageErrorCode, imageError, isImageErrorCode } from "../errors.ts";
import { type BlobInput, blobChunks } from "./blob-input.ts";
import { freeing } from "./free-memory.ts";
import type { FromWorker, LayerJob, ToWorker } from "./layer-job.ts";
import type { LayerLimits } from "./limits.ts";
import { type ExpectedLayer, type LayerSummary, readLayer } from "./read-layer.ts";

/** Blobs up to this length are read on this thread, in `bytes`: a thread takes as long to start. */
const INLINE_BYTES = 2 * 1024 * 1024;
/** Bytes of a stream that may be under way to a thread. */
const CREDIT_BYTES = 1024 * 1024;
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

/** A set of threads that grows to the number of cores and ends with the pool. */
export class LayerPool implements AsyncDisposable {
  readonly #size: number;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #waiting: ((worker: Worker) => void)[] = [];

  constructor(size = availableParallelism()) {
    this.#size = size;
  }

  /** Reads one layer; any number may be asked for at once. @throws what readLayer throws, LOAD_CANCELLED */
  async run(job: PoolJob): Promise<LayerSummary> {
    refuseCancelled(job.signal);
    const length = job.input.kind === "range" ? job.input.length : job.expected.size;
    if (length !== undefined && length <= INLINE_BYTES) return readInline(job);
    const worker = await this.#take();
    try {
      refuseCancelled(job.signal);
      return await readOn(worker, job);
    } finally {
      this.#giveBack(worker);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #take(): Promise<Worker> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return Promise.resolve(idle);
    if (this.#all.size < this.#size) return Promise.resolve(this.#start());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #start(): Worker {
    const worker = new Worker(new URL("./layer-worker.ts", import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
    });
    this.#all.add(worker);
    worker.on("exit", () => this.#all.delete(worker));
    return worker;
  }

  #giveBack(worker: Worker): void {
    // A thread that died is replaced for whoever waits.
    const usable = this.#all.has(worker) ? worker : undefined;
    const next = this.#waiting.shift();
    if (next !== undefined) next(usable ?? this.#start());
    else if (usable !== undefined) this.#idle.push(usable);
  }
}

function readInline({ signal, input, ...rest }: PoolJob): Promise<LayerSummary> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of blobChunks(input)) {
      refuseCancelled(signal);
      yield chunk;
    }
  }
  return readLayer({ ...rest, input: freeing(chunks()) });
}

async function readOn(worker: Worker, job: PoolJob): Promise<LayerSummary> {
  const { input, expected, folder, limits } = job;
  const send = (message: ToWorker, transfer: ArrayBuffer[] = []): void =>
    worker.postMessage(message, transfer);
  const feeder = input.kind === "stream" ? new Feeder(input.chunks, send) : undefined;
  const cancel = (): void => send({ kind: "cancel" });
  const layerJob: LayerJob = {
    input: input.kind === "stream" ? "stream" : input,
    expected,
    folder,
    limits,
  };
  const result = awaitResult(worker, (bytes) => {
    job.onProgress(bytes);
    feeder?.credit(bytes);
  });
  job.signal?.addEventListener("abort", cancel);
  try {
    send({ kind: "job", job: layerJob });
    const fed = feeder?.run().catch((error: unknown) => {
      cancel();
      return error;
    });
    const settled = await Promise.allSettled([result]);
    feeder?.stop();
    const feedError = await fed;
    if (feedError !== undefined) throw feedError;
    if (settled[0].status === "rejected") throw settled[0].reason;
    return settled[0].value;
  } finally {
    job.signal?.removeEventListener("abort", cancel);
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

/** Sends a stream's chunks to a thread, no more than it has room for. */
class Feeder {
  readonly #chunks: AsyncIterable<Uint8Array>;
  readonly #send: (message: ToWorker, transfer?: ArrayBuffer[]) => void;
  #credit = CREDIT_BYTES;
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(
    chunks: AsyncIterable<Uint8Array>,
    send: (message: ToWorker, transfer?: ArrayBuffer[]) => void,
  ) {
    this.#chunks = chunks;
    this.#send = send;
  }

  credit(bytes: number): void {
    this.#credit += bytes;
    this.#wake?.();
  }

  /** Ends the feeding, because the thread takes no more. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  async run(): Promise<undefined> {
    for await (const chunk of this.#chunks) {
      while (this.#credit <= 0 && !this.#stopped)
        await new Promise<void>((resolve) => (this.#wake = resolve));
      if (this.#stopped) return undefined;
      this.#credit -= chunk.length;
      // Memory that the chunk has to itself changes hands; a slice of a shared pool is copied.
      const whole = chunk.byteLength === chunk.buffer.byteLength;
      const transfer = whole && chunk.buffer instanceof ArrayBuffer ? [chunk.buffer] : [];
      this.#send({ kind: "chunk", bytes: chunk }, transfer);
    }
    this.#send({ kind: "end" });
    return undefined;
  }
}

function fromWorkerError(code: string | undefined, message: string): Error {
  const known: ImageErrorCode | undefined = isImageErrorCode(code) ? code : undefined;
  return known === undefined ? new Error(message) : imageError(known, message);
}

function refuseCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw imageError("LOAD_CANCELLED", "cancelled", { cause: signal.reason });
}
