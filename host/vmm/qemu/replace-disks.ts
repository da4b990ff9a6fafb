/**
 * What stands behind the disks of a machine that was made without any: put there, and taken away, while it is. Its QEMU
 * is in a jail and finds none of their files by its path, so it is handed them as descriptors.
 */

import type { DiskConfig } from "../hypervisor.ts";
import {
  all,
  type Execute,
  type PlacedDisk,
  placed,
  type Qmp,
  withHandedOver,
} from "./handed-disks.ts";
import { isObject } from "./qmp-message.ts";
import { changeableNode, emptyNode, type Node } from "./template-arguments.ts";

/** Puts disks behind the first devices. The guest must not use them meanwhile. */
export async function fillDisks(qmp: Qmp, disks: readonly DiskConfig[]): Promise<void> {
  await fill(qmp, disks.map(placed));
}

/** Has zeros behind them again, and lets go of their files. */
export async function emptyDisks(execute: Execute, disks: readonly DiskConfig[]): Promise<void> {
  await all(disks.map(placed).flatMap((each) => empty(execute, each)));
}

/**
 * Does something while nothing is behind those disks that are joined of extents, for QEMU saves no machine with a VMDK.
 * The machine is paused.
 */
export async function withoutJoinedDisks<T>(
  qmp: Qmp,
  disks: readonly DiskConfig[],
  work: () => Promise<T>,
): Promise<T> {
  const joined = disks.map(placed).filter(({ disk }) => disk.source.kind === "extents");
  for (const each of joined) {
    const commands = empty(qmp.execute, each);
    // one that the machine was made with has no name and goes by itself
    const [deleted] = commands.splice(-1);
    await Promise.all([all(commands), deleted?.catch(() => {})]);
  }
  try {
    return await work();
  } finally {
    await fill(qmp, joined);
  }
}

/** Puts back what `withoutJoinedDisks` of a process that was killed has put aside. */
export async function putDisksBack(qmp: Qmp, disks: readonly DiskConfig[]): Promise<void> {
  const nodes = await qmp.execute("query-named-block-nodes", { flat: true });
  const names = Array.isArray(nodes)
    ? nodes.map((node) => isObject(node) && node["node-name"])
    : [];
  const isEmpty = ({ index }: PlacedDisk) => names.includes(emptyName(index));
  await fill(qmp, disks.map(placed).filter(isEmpty));
}

async function fill(qmp: Qmp, disks: readonly PlacedDisk[]): Promise<void> {
  await withHandedOver(qmp, disks, (nodes) =>
    all(
      disks.flatMap((each, at) => {
        const node = { "node-name": filledName(each.index), ...nodes[at] };
        const replaced = replace(qmp.execute, each, node);
        const empty = { "node-name": emptyName(each.index) };
        // one that the machine was made with has no name and goes by itself
        return [...replaced, qmp.execute("blockdev-del", empty).catch(() => {})];
      }),
    ),
  );
}

/** The last command takes away what was there. */
function empty(execute: Execute, { disk, index }: PlacedDisk): Promise<unknown>[] {
  return [
    ...replace(execute, { disk, index }, { "node-name": emptyName(index), ...emptyNode(disk) }),
    execute("blockdev-del", { "node-name": filledName(index) }),
  ];
}

function replace(execute: Execute, { disk, index }: PlacedDisk, by: Node): Promise<unknown>[] {
  const options = [changeableNode(disk, index, String(by["node-name"]))];
  return [execute("blockdev-add", by), execute("blockdev-reopen", { options })];
}

function filledName(index: number): string {
  return `filled${index}`;
}

function emptyName(index: number): string {
  return `empty${index}`;
}
