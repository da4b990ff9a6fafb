/** Reads a layer from memory and gives back what became of it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LayerEntry } from "../../rootfs/entry.ts";
import { digestOf } from "../digest.ts";
import { decodeEntries } from "../layer/entries-file.ts";
import { DEFAULT_LAYER_LIMITS, type LayerLimits } from "../layer/limits.ts";
import { type ExpectedLayer, readLayer } from "../layer/read-layer.ts";
import { rebuildTar } from "../layer/skeleton.ts";
import { TestFolder } from "./image-builder.ts";

export interface ReadBack {
  readonly entries: readonly LayerEntry[];
  readonly data: Buffer;
  readonly rebuilt: Buffer;
}

export interface HowToRead {
  readonly blob?: Buffer;
  readonly chunk?: number;
  readonly expected?: Partial<ExpectedLayer>;
  readonly limits?: Partial<LayerLimits>;
}

/** Reads a layer of this tar stream. */
export async function readBack(tar: Buffer, how: HowToRead = {}): Promise<ReadBack> {
  using folder = new TestFolder();
  const blob = how.blob ?? tar;
  const size = how.chunk ?? 100_000;
  async function* input(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < blob.length; at += size) yield Buffer.from(blob.subarray(at, at + size));
  }
  const summary = await readLayer({
    input: input(),
    expected: { diffId: digestOf(tar), digest: digestOf(blob), size: blob.length, ...how.expected },
    folder: folder.path,
    limits: { ...DEFAULT_LAYER_LIMITS, ...how.limits },
  });
  const path = (name: string): string => join(folder.path, name);
  const data = readFileSync(path("data"));
  assert.equal(data.length, summary.dataLength);
  assert.equal(data.length % 4096, 0);
  return {
    entries: decodeEntries(readFileSync(path("entries")), "entries"),
    data,
    rebuilt: Buffer.concat([...rebuildTar({ data: path("data"), skeleton: path("skeleton") })]),
  };
}

/** A file's content as its runs in the data file state it. */
export function contentOf(entry: LayerEntry | undefined, data: Buffer): Buffer {
  assert.equal(entry?.type, "file");
  if (entry?.type !== "file") return Buffer.alloc(0);
  const bytes = Buffer.alloc(entry.size);
  let end = 0;
  for (const [n, run] of entry.data.entries()) {
    assert.equal(run.fileOffset % 4096, 0);
    assert.equal(run.dataOffset % 4096, 0);
    assert.ok(run.length % 4096 === 0 || n === entry.data.length - 1);
    assert.ok(run.fileOffset >= end && run.fileOffset + run.length <= entry.size + 4095);
    end = run.fileOffset + run.length;
    data.copy(bytes, run.fileOffset, run.dataOffset, run.dataOffset + run.length);
  }
  return bytes;
}
