/**
 * Files of disks that a running QEMU is given: it is in a jail and finds none of them by its path, so it is handed them as
 * descriptors.
 */

import { randomInt } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
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
 * @param use opens the nodes, whose files can be opened until it is done
 */
export async function withHandedOver(
  { execute, executeWith }: Qmp,
  disks: readonly PlacedDisk[],
  use: (nodes: readonly Node[]) => Promise<void>,
): Promise<void> {
  const sets: number[] = [];
  const handed: Promise<unknown>[] = [];
  await using files = new AsyncDisposableStack();
  const handOver = async (path: string, flags: number) => {
    const file = files.use(await openFile(path, flags));
    const set = randomInt(MAX_SET);
    sets.push(set);
    const answer = executeWith(file.fd, "add-fd", { "fdset-id": set });
    answer.catch(() => {});
    handed.push(answer);
    return `/dev/fdset/${set}`;
  };
  await using folder = await temporaryFolder();
  try {
    const nodes = await allOf(disks.map((each) => nodeOf(each, folder.path, handOver)));
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
  const files = filesOf([disk]);
  const handLayers = files.map((path) => handOver(path, O_RDONLY));
  const zeros = join(folder, `zeros-${index}`);
  const handZeros = async () => {
    await writeFile(zeros, "");
    await truncate(zeros, longestZeroExtent(source.extents));
    return handOver(zeros, O_RDONLY);
  };
  const [zeroFile = "", ...paths] = await allOf([handZeros(), ...handLayers]);
  const names = new Map(files.map((path, index) => [path, paths[index]]));
  const extents = source.extents.map((extent) =>
    extent.kind === "file" ? { ...extent, path: names.get(extent.path) ?? extent.path } : extent,
  );
  const descriptor = join(folder, `disk-${index}`);
  await writeFile(descriptor, vmdkDescriptor({ extents, zeroFile }));
  return blockNode(disk, await handOver(descriptor, O_RDONLY));
}

function openFile(path: string, flags: number): Promise<FileHandle> {
  return open(path, flags).catch((cause) => {
    throw new VmmError("VMM_DISK_NOT_FOUND", `disk file ${path} cannot be opened`, { cause });
  });
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
  await allOf(commands);
}

/** As `Promise.all`, but nothing is under way any more when it settles. */
async function allOf<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
