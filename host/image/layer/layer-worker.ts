/** The thread that reads layers, one at a time, for LayerPool. It sleeps while there is nothing to read. */
import { parentPort } from "node:worker_threads";
import { DvmError } from "../../errors.ts";
import { imageError, storeFailure } from "../errors.ts";
import { rangeChunksSync } from "./blob-input.ts";
import { RingReader } from "./chunk-ring.ts";
import type { FromWorker, LayerJob } from "./layer-job.ts";
import { readLayer } from "./read-layer.ts";

if (parentPort === null) throw new Error("layer-worker runs as a worker thread only");
const port = parentPort;

port.on("message", (job: LayerJob) => void work(job));

async function work({ file, ring, ...job }: LayerJob): Promise<void> {
  const reader = new RingReader(ring);
  try {
    const input =
      file === undefined ? ringChunks(reader) : fileChunks(rangeChunksSync(file), reader);
    send({ kind: "done", summary: await readLayer({ input, ...job }) });
  } catch (cause) {
    const error = storeFailure(cause);
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof DvmError ? error.code : undefined;
    send({ kind: "failed", code, message });
  }
}

async function* ringChunks(reader: RingReader): AsyncGenerator<Uint8Array> {
  for (let chunk = reader.next(); chunk !== undefined; chunk = reader.next()) yield chunk;
  refuseCancelled(reader);
}

async function* fileChunks(
  chunks: Iterable<Uint8Array>,
  reader: RingReader,
): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    refuseCancelled(reader);
    yield chunk;
    send({ kind: "progress", bytes: chunk.length });
  }
}

function refuseCancelled({ cancelled }: RingReader): void {
  if (cancelled) throw imageError("LOAD_CANCELLED", "cancelled");
}

function send(message: FromWorker): void {
  port.postMessage(message);
}
