/**
 * A part of what a pull does with layers, and nothing else, on a thread a core: what each step costs at the least.
 * It says on standard output how many milliseconds the threads were at work.
 *
 * usage: node bench/image-scenes/rung.ts inflate|hash|write|direct FOLDER LAYER...
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { PAGE } from "../../host/image/layer/data-file.ts";
import { DirectFile } from "../../host/image/layer/direct-file.ts";
import { openGzipInflater } from "../../host/sys/isal.ts";

const CHUNK_BYTES = 256 * 1024;

interface Task {
  /** `inflate` alone, with the digests of blob and stream, or written to a file too, `direct`: as a pull writes it */
  readonly mode: string;
  readonly folder: string;
  readonly layers: readonly string[];
  /** index of the next layer that nobody has begun */
  readonly next: SharedArrayBuffer;
}

if (isMainThread) await lead();
else follow(workerData as Task);

async function lead(): Promise<void> {
  const [mode = "", folder = "", ...layers] = process.argv.slice(2);
  const task: Task = { mode, folder, layers, next: new SharedArrayBuffer(4) };
  const threads = Array.from(
    { length: availableParallelism() },
    () => new Worker(new URL(import.meta.url), { workerData: task }),
  );
  const answers = async (): Promise<void> => {
    await Promise.all(threads.map((thread) => once(thread, "message")));
  };
  await answers();
  const started = performance.now();
  const done = answers();
  for (const thread of threads) thread.postMessage("go");
  await done;
  process.stdout.write(`${performance.now() - started}\n`);
  for (const thread of threads) await thread.terminate();
}

function follow({ mode, folder, layers, next }: Task): void {
  const counter = new Int32Array(next);
  parentPort?.on("message", async () => {
    for (;;) {
      const index = Atomics.add(counter, 0, 1);
      const layer = layers[index];
      if (layer === undefined) break;
      await readLayer(layer, { mode, target: join(folder, `rung-${index}`) });
    }
    parentPort?.postMessage("done");
  });
  parentPort?.postMessage("ready");
}

async function readLayer(
  path: string,
  { mode, target }: { readonly mode: string; readonly target: string },
): Promise<void> {
  const inflater = openGzipInflater();
  if (inflater === undefined) throw new Error("libisal2 is not installed");
  const hashes = mode === "inflate" ? undefined : [createHash("sha256"), createHash("sha256")];
  const file = mode === "write" ? openSync(target, "w") : undefined;
  await using direct = mode === "direct" ? new DirectFile(target) : undefined;
  const blob = openSync(path, "r");
  const input = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const output = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (let got = readSync(blob, input); got > 0; got = readSync(blob, input)) {
    const packed = input.subarray(0, got);
    hashes?.[0]?.update(packed);
    inflater.feed(packed);
    for (let filled = true; filled && !inflater.finished; ) {
      const plain = output.subarray(0, inflater.inflate(output));
      filled = plain.length === output.length;
      hashes?.[1]?.update(plain);
      if (file !== undefined) writeSync(file, plain);
      direct?.put(plain, 0, plain.length);
      if (direct?.room !== undefined) await direct.room;
    }
  }
  for (const hash of hashes ?? []) hash.digest();
  closeSync(blob);
  direct?.zeros(-direct.length & (PAGE - 1));
  await direct?.finish();
  if (file === undefined) return;
  fdatasyncSync(file);
  closeSync(file);
}
