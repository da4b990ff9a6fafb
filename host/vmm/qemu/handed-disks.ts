/**
 * Files of disks that a running QEMU is given: it is in a jail and finds none of them by its path, so it is handed them as
 * descriptors.
 */

import { constants } from "node:fs";
import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VmmError } from "../errors.ts";
import type { DiskConfig } from "../hypervisor.ts";
import { filesOf } from "./disk-files.ts";
import { throttleGroups } from "./disk-throttle.ts";
import { blockNode } from "./qemu-arguments.ts";
import { isObject } from "./qmp-message.ts";
import type { Node } from "./template-arguments.ts";
import { longestZeroExtent, vmdkDescriptor } from "./vmdk-descriptor.ts";

/** Sends a QMP command; commands are done in the order in which they are sent. */
export type Execute = (command: string, parameters: Node) => Promise<unknown>;

export interface Qmp {
  readonly execute: Execute;
  /** the same with a descriptor, which stays the caller's */
  readonly executeWith: (descriptor: number, command: string) => Promise<unknown>;
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
 * @param use opens the nodes, whose files can be opened until it is done
 */
export async function withHandedOver(
  { execute, executeWith }: Qmp,
  disks: readonly PlacedDisk[],
  use: (nodes: readonly Node[]) => Promise<void>,
): Promise<void> {
  const sets: number[] = [];
  const handOver = async (path: string, flags: number) => {
    const set = await handOverFile(executeWith, path, flags);
    sets.push(set);
    return `/dev/fdset/${set}`;
  };
  await using folder = await temporaryFolder();
  try {
    const nodes = await Promise.all(disks.map((each) => nodeOf(each, folder.path, handOver)));
    const groups = throttleGroups(disks.map(({ disk }) => disk));
    await all(groups.map((group) => addOnce(execute, group)));
    await use(nodes);
  } finally {
    // what is open stays open
    await all(sets.map((set) => execute("remove-fd", { "fdset-id": set })));
  }
}

/** Gives QEMU an open file. @returns the path under which it opens that */
type HandOver = (path: string, flags: number) => Promise<string>;

/** The node of a disk with its files named as QEMU has them: sets of descriptors. */
async function nodeOf(
  { disk, index }: PlacedDisk,
  folder: string,
  handOver: HandOver,
): Promise<Node> {
  const { source } = disk;
  const { O_RDONLY, O_RDWR } = constants;
  if (source.kind === "file") {
    const path = await handOver(source.path, disk.readOnly ? O_RDONLY : O_RDWR);
    const backing = source.backing && (await handOver(source.backing, O_RDONLY));
    return blockNode({ ...disk, source: { ...source, path, ...(backing && { backing }) } }, "");
  }
  const names = new Map<string, string>();
  for (const path of filesOf([disk])) names.set(path, await handOver(path, O_RDONLY));
  const extents = source.extents.map((extent) =>
    extent.kind === "file" ? { ...extent, path: names.get(extent.path) ?? extent.path } : extent,
  );
  const zeros = join(folder, `zeros-${index}`);
  await writeFile(zeros, "");
  await truncate(zeros, longestZeroExtent(extents));
  const zeroFile = await handOver(zeros, O_RDONLY);
  const descriptor = join(folder, `disk-${index}`);
  await writeFile(descriptor, vmdkDescriptor({ extents, zeroFile }));
  return blockNode(disk, await handOver(descriptor, O_RDONLY));
}

async function handOverFile(
  executeWith: Qmp["executeWith"],
  path: string,
  flags: number,
): Promise<number> {
  const file = await open(path, flags).catch((cause) => {
    throw new VmmError("VMM_DISK_NOT_FOUND", `disk file ${path} cannot be opened`, { cause });
  });
  try {
    const answer = await executeWith(file.fd, "add-fd");
    const set = isObject(answer) ? answer["fdset-id"] : undefined;
    if (typeof set !== "number") throw new VmmError("VMM_QMP_FAILED", "add-fd gave no number");
    return set;
  } finally {
    await file.close();
  }
}

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "dvm-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
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
