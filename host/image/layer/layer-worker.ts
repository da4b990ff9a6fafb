/** The thread that reads layers, one at a time, for LayerPool. */
import { parentPort } from "node:worker_threads";
import { DvmError } from "../../errors.ts";
import { imageError, storeFailure } from "../errors.ts";
import { blobChunks } from "./blob-input.ts";
import { freeing } from "./free-memory.ts";
import type { FromWorker, LayerJob, ToWorker } from "./layer-job.ts";
import { readLayer } from "./read-layer.ts";

if (parentPort === null) throw new Error("layer-worker runs as a worker thread only");
const port = parentPort;
let feed: ChunkQueue | undefined;

port.on("message", (message: ToWorker) => {
  if (message.kind === "job") void work(message.job);
  else if (message.kind === "chunk") feed?.add(message.bytes);
  else if (message.kind === "end") feed?.end();
  else feed?.fail(imageError("LOAD_CANCELLED", "cancelled"));
});

async function work(job: LayerJob): Promise<void> {
  const queue = new ChunkQueue();
  feed = queue;
  const input = job.input === "stream" ? queue : queue.guarding(blobChunks(job.input));
  try {
    const summary = await readLayer({
      input: freeing(input),
      expected: job.expected,
      folder: job.folder,
      limits: job.limits,
      onProgress: (bytes) => send({ kind: "progress", bytes }),
    });
    send({ kind: "done", summary });
  } catch (cause) {
    const error = storeFailure(cause);
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof DvmError ? error.code : undefined;
    send({ kind: "failed", code, message });
  } finally {
    feed = undefined;
  }
}

function send(message: FromWorker): void {
  port.postMessage(message);
}

/** Chunks that come by message, to be read as a stream; the sender bounds how many wait. */
class ChunkQueue implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  add(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Passes another input through, until it is told to fail. */
  async *guarding(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of input) {
      if (this.#failure !== undefined) throw this.#failure;
      yield chunk;
    }
  }
}
