/**
 * Files of disks that a running QEMU is given: it is in a jail and finds none of them by its path, so it is handed them as
 * descriptors.
 */

import { randomInt } from "node:crypto";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VmmError } from "../errors.ts";
import type { DiskConfig } from "../hypervisor.ts";
import { filesOf } from "./disk-files.ts";
import { throttleGroups } from "./disk-throttle.ts";
import { blockNode } from "./qemu-arguments.ts";
import type { Node } from "./template-arguments.ts";
import { longestZeroExtent, vmdkDescriptor } from "./vmdk-descriptor.ts";

/**
 * Numbers of sets of descriptors, which QEMU reads as an `int`, are ours to choose: one that a killed process has left must
 * not be met again.
 */
const MAX_SET = 2 ** 31 - 1;

/** Sends a QMP command; commands are done in the order in which they are sent. */
export type Execute = (command: string, parameters: Node) => Promise<unknown>;

export interface Qmp {
  readonly execute: Execute;
  /** the same with a descriptor, which stays the caller's */
  readonly executeWith: (descriptor: number, command: string, parameters: Node) => Promise<unknown>;
}

/** A disk and its place among the machine's. */
export interface PlacedDisk {
  readonly disk: DiskConfig;
  readonly index: number;
}

export function placed(disk: DiskConfig, index: number): PlacedDisk {
  return { disk, index };
}

/**
 * Has QEMU open what stands behind the disks, with groups for their limits.
 *
 * All files are local and small, or only opened: a turn of the thread pool for each would take longer than they do.
 *
 * @param use opens the nodes, whose files can be opened until it is done
 */
export async function withHandedOver(
  { execute, executeWith }: Qmp,
  disks: readonly PlacedDisk[],
  use: (nodes: readonly Node[]) => Promise<void>,
): Promise<void> {
  const sets: number[] = [];
  const handed: Promise<unknown>[] = [];
  using files = new DisposableStack();
  const handOver = (path: string, flags: number) => {
    const file = openFile(path, flags);
    files.defer(() => closeSync(file));
    const set = randomInt(MAX_SET);
    sets.push(set);
    const answer = executeWith(file, "add-fd", { "fdset-id": set });
    answer.catch(() => {});
    handed.push(answer);
    return `/dev/fdset/${set}`;
  };
  const folder = mkdtempSync(join(tmpdir(), "dvm-"));
  files.defer(() => rmSync(folder, { recursive: true }));
  try {
    const nodes = disks.map((each) => nodeOf(each, folder, handOver));
    const groups = throttleGroups(disks.map(({ disk }) => disk));
    await all(groups.map((group) => addOnce(execute, group)));
    await all([...handed, use(nodes)]);
  } finally {
    // each is sent by its number: none is closed before
    await Promise.allSettled(handed);
    // what is open stays open, and nobody has to wait for it
    for (const set of sets) execute("remove-fd", { "fdset-id": set }).catch(() => {});
  }
}

/** Gives QEMU an open file. @returns the path under which commands that are sent from now on open that */
type HandOver = (path: string, flags: number) => string;

/** The node of a disk with its files named as QEMU has them: sets of descriptors. */
function nodeOf({ disk, index }: PlacedDisk, folder: string, handOver: HandOver): Node {
  const { source } = disk;
  const { O_RDONLY, O_RDWR } = constants;
  if (source.kind === "file") {
    const path = handOver(source.path, disk.readOnly ? O_RDONLY : O_RDWR);
    const backing = source.backing && handOver(source.backing, O_RDONLY);
    return blockNode({ ...disk, source: { ...source, path, ...(backing && { backing }) } }, "");
  }
  const names = new Map(filesOf([disk]).map((path) => [path, handOver(path, O_RDONLY)]));
  const extents = source.extents.map((extent) =>
    extent.kind === "file" ? { ...extent, path: names.get(extent.path) ?? extent.path } : extent,
  );
  const zeros = join(folder, `zeros-${index}`);
  writeFileSync(zeros, "");
  truncateSync(zeros, longestZeroExtent(extents));
  const zeroFile = handOver(zeros, O_RDONLY);
  const descriptor = join(folder, `disk-${index}`);
  writeFileSync(descriptor, vmdkDescriptor({ extents, zeroFile }));
  return blockNode(disk, handOver(descriptor, O_RDONLY));
}

function openFile(path: string, flags: number): number {
  try {
    return openSync(path, flags);
  } catch (cause) {
    throw new VmmError("VMM_DISK_NOT_FOUND", `disk file ${path} cannot be opened`, { cause });
  }
}

/** A group of limits may be there for other disks already. */
async function addOnce(execute: Execute, group: Node): Promise<void> {
  try {
    await execute("object-add", group);
  } catch (error) {
    if (!/duplicate/.test((error as Error).message)) throw error;
  }
}

/** Waits for all of them; the first failure is the one to tell of. */
export async function all(commands: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(commands);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
