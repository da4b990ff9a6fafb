/** What a thread is told to read, and what it answers: plain data, so that it passes between threads. */
import type { FileRange } from "./blob-input.ts";
import type { LayerLimits } from "./limits.ts";
import type { ExpectedLayer, LayerSummary } from "./read-layer.ts";

export interface LayerJob {
  /** `stream` when the chunks follow by message */
  readonly input: FileRange | "stream";
  readonly expected: ExpectedLayer;
  readonly folder: string;
  readonly limits: LayerLimits;
}

export type ToWorker =
  | { readonly kind: "job"; readonly job: LayerJob }
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "cancel" };

export type FromWorker =
  /** bytes of the blob that were taken since the last message; they are also the credit for as many more */
  | { readonly kind: "progress"; readonly bytes: number }
  | { readonly kind: "done"; readonly summary: LayerSummary }
  | { readonly kind: "failed"; readonly code: string | undefined; readonly message: string };
