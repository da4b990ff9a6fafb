/**
 * What mkfs writes on a disk, kept so that the next disk of its kind is made without it: mkfs is a process and takes
 * 50 ms, its forty blocks are written in one.
 *
 * A template is one file: JSON in a first block, padded by spaces, with the numbers of the blocks that follow it.
 */

import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const BLOCK = 4096;
const ZEROS = Buffer.alloc(BLOCK);
/** Part of every template's name: to be raised when the format changes. */
const TEMPLATE_VERSION = 1;
/** More than mkfs ever writes on a disk of the largest size, in `blocks`. */
const MAX_BLOCKS = 64 * 1024;

interface Header {
  /** runs of blocks: number of the first, and how many */
  readonly runs: readonly (readonly [first: number, count: number])[];
}

/** Where the template is of disks that are made of `parameters`. */
export function templatePath(directory: string, parameters: readonly unknown[]): string {
  const hash = createHash("sha256").update(JSON.stringify([TEMPLATE_VERSION, ...parameters]));
  return join(directory, `${hash.digest("hex").slice(0, 32)}.blocks`);
}

/** Writes the template's blocks into the new, empty file at `path`. @returns whether there is such a template */
export async function applyTemplate(template: string, path: string): Promise<boolean> {
  const content = await readFile(template).catch(() => undefined);
  const header = content && parseHeader(content);
  if (content === undefined || header === undefined) return false;
  await using file = await open(path, "r+");
  let from = header.start;
  const writes = header.runs.map(([first, count]) => {
    const write = file.write(content, from, count * BLOCK, first * BLOCK);
    from += count * BLOCK;
    return write;
  });
  for (const result of await Promise.allSettled(writes))
    if (result.status === "rejected") throw result.reason;
  return true;
}

/** Keeps what is written on the disk at `path`. Makers may run at once: only a whole file gets its name. */
export async function saveTemplate(template: string, path: string): Promise<void> {
  const { dataExtents } = await import("../sys/data-extents.ts");
  const runs: [number, number][] = [];
  const blocks: Buffer[] = [];
  await using disk = await open(path, "r");
  for (const { offset, length } of dataExtents(path)) {
    const piece = Buffer.alloc(length);
    await disk.read(piece, 0, length, offset);
    for (let at = 0; at < length; at += BLOCK) {
      const block = piece.subarray(at, at + BLOCK);
      if (block.equals(ZEROS)) continue;
      if (blocks.length === MAX_BLOCKS) return;
      addBlock(runs, (offset + at) / BLOCK);
      blocks.push(block);
    }
  }
  await publish(template, Buffer.concat([encodeHeader({ runs }), ...blocks]));
}

function addBlock(runs: [number, number][], block: number): void {
  const last = runs.at(-1);
  if (last !== undefined && last[0] + last[1] === block) last[1]++;
  else runs.push([block, 1]);
}

async function publish(template: string, content: Buffer): Promise<void> {
  await mkdir(join(template, ".."), { recursive: true, mode: 0o700 });
  const partial = `${template}.${process.pid}.${randomBytes(6).toString("hex")}.partial`;
  try {
    await writeFile(partial, content, { mode: 0o600, flush: true });
    await rename(partial, template);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

function encodeHeader(header: Header): Buffer {
  const text = `${JSON.stringify(header)}\n`;
  return Buffer.from(text.padEnd(Math.ceil(text.length / BLOCK) * BLOCK));
}

/** Undefined for a file that is none of ours or is in pieces. */
function parseHeader(content: Buffer): (Header & { readonly start: number }) | undefined {
  const end = content.indexOf("\n");
  const start = Math.ceil((end + 1) / BLOCK) * BLOCK;
  try {
    const { runs }: Header = JSON.parse(content.toString("latin1", 0, Math.max(end, 0)));
    const count = runs.reduce((sum, [, length]) => sum + length, 0);
    return content.length === start + count * BLOCK ? { runs, start } : undefined;
  } catch {
    return undefined;
  }
}
