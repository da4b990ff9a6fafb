/** What a thread is told to read, and what it answers: plain data, so that it passes between threads. */
import type { FileRange } from "./blob-input.ts";
import type { RingMemory } from "./chunk-ring.ts";
import type { LayerLimits } from "./limits.ts";
import type { ExpectedLayer, LayerSummary } from "./read-layer.ts";

/** A message to the thread, which does one after another. */
export interface LayerJob {
  /** absent: the blob comes through the ring */
  readonly file: FileRange | undefined;
  /** brings the blob, or only word that it is no longer wanted */
  readonly ring: RingMemory;
  readonly expected: ExpectedLayer;
  readonly folder: string;
  readonly limits: LayerLimits;
}

export type FromWorker =
  /** bytes of the file that were taken since the last message */
  | { readonly kind: "progress"; readonly bytes: number }
  | { readonly kind: "done"; readonly summary: LayerSummary }
  | { readonly kind: "failed"; readonly code: string | undefined; readonly message: string };
