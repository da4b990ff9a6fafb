/** What is different in QEMU's arguments for a machine that becomes a template, and for one that comes from one. */

import type { DiskConfig, MachineConfig } from "../hypervisor.ts";

/** Descriptors that a clone inherits, after those of its channels. */
export const TEMPLATE_STATE_FD = 6;
export const TEMPLATE_MEMORY_FD = 7;
/** Where a clone's QEMU finds its memory. */
export const CLONE_MEMORY = `/proc/self/fd/${TEMPLATE_MEMORY_FD}`;
/** Library that clones have loaded, of `private-memory.c`. */
export const PRIVATE_MEMORY = "private-memory.so";

export type TemplateRole =
  | {
      readonly kind: "save";
      /** file of the guest's memory */
      readonly memory: string;
    }
  | { readonly kind: "clone" }
  /** a clone whose disks and networks come later */
  | { readonly kind: "spare" }
  /** goes on where another was saved, whose memory was a block of its own or the machine's */
  | { readonly kind: "restored"; readonly memory: MemoryKind };

/** What QEMU calls the memory in a saved state depends on it: clones have a backend. */
export type MemoryKind = "backend" | "machine";

/** A block node as QEMU's `BlockdevOptions` has it. */
export type Node = Readonly<Record<string, unknown>>;

/** Size of a disk that stands for any, in `bytes`: the guest takes it for its disks' in the clones too. */
const ANY_SIZE = 2 ** 40;

/**
 * The memory of a template is a file that QEMU writes; that of a clone is the same file, mapped privately. It is
 * opened by descriptor, for QEMU makes a file that it does not find.
 */
export function incomingArguments(
  { memoryMiB }: MachineConfig,
  role: TemplateRole | undefined,
): string[] {
  if (role === undefined) return [];
  if (role.kind === "restored") return restoredArguments(memoryMiB, role.memory);
  const path = role.kind === "save" ? role.memory : CLONE_MEMORY;
  const share = role.kind === "save" ? "on" : "off";
  const file = `size=${memoryMiB}M,mem-path=${path.replaceAll(",", ",,")},share=${share}`;
  return [
    ...["-object", `memory-backend-file,id=memory,${file}`],
    ...["-machine", "memory-backend=memory"],
    ...(role.kind === "save" ? [] : ["-incoming", "defer"]),
  ];
}

function restoredArguments(memoryMiB: number, kind: MemoryKind): string[] {
  const incoming = ["-incoming", "defer"];
  if (kind === "machine") return incoming;
  const memory = `memory-backend-ram,id=memory,size=${memoryMiB}M`;
  return ["-object", memory, "-machine", "memory-backend=memory", ...incoming];
}

/** The disk of a template, or of a spare clone: zeros, for what the kernel looks at when it finds a disk. */
export function emptyNode({ readOnly }: Pick<DiskConfig, "readOnly">): Node {
  return { driver: "null-co", size: ANY_SIZE, "read-zeroes": true, "read-only": readOnly };
}

/** What a device holds for good while what stands behind it changes (`blockdev-reopen`). */
export function changeableNode(
  { readOnly, disposable }: Pick<DiskConfig, "readOnly" | "disposable">,
  index: number,
  file: string | Node,
): Node {
  return {
    "node-name": `disk${index}`,
    driver: "raw",
    "read-only": readOnly,
    discard: "unmap",
    ...(disposable && { cache: { "no-flush": true } }),
    file,
  };
}

/** Names of the tap devices that a template's cards are connected to; they are made for it. */
export function templateTaps({ networks }: MachineConfig): string[] {
  return networks.flatMap(({ backend }) => (backend.kind === "tap" ? [backend.name] : []));
}

/** The other end of a card that is to have a stream: a hub where nobody else is, yet. */
export function templateCard(index: number): Node {
  return { type: "hubport", id: `net${index}`, hubid: index };
}
