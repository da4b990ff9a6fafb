/** What is different in QEMU's arguments for a machine that becomes a template, and for one that comes from one. */

import type { DiskConfig, MachineConfig } from "../hypervisor.ts";

/** Descriptors that a clone inherits, after those of its channels. */
export const TEMPLATE_STATE_FD = 6;
export const TEMPLATE_MEMORY_FD = 7;

export type TemplateRole =
  | {
      readonly kind: "save";
      /** file of the guest's memory */
      readonly memory: string;
    }
  | { readonly kind: "clone" };

/** Size of a disk that stands for any, in `bytes`: the guest takes it for its disks' in the clones too. */
const ANY_SIZE = 2 ** 40;

/**
 * A machine's shape as a configuration: what every machine has of its own is replaced by the same for all. A machine
 * with shares has none: its memory belongs to the server of its folders too.
 */
export function shapeOf(config: MachineConfig): MachineConfig | undefined {
  const { disks, networks, shares } = config;
  if (shares.length > 0) return undefined;
  return {
    ...config,
    id: "template",
    runDirectory: "/",
    disks: disks.map(({ serial, readOnly, disposable = false }) => ({
      serial,
      readOnly,
      disposable,
      source: { kind: "file", path: "/dev/null", format: "raw" },
    })),
    // A tap carries checksums and long packets for the guest, which learns at its boot whether that is so.
    networks: networks.map(({ backend }, index) => ({
      mac: templateMac(index),
      backend:
        backend.kind === "tap"
          ? { kind: "tap", name: `template${index}` }
          : { kind: "stream", path: "/" },
    })),
  };
}

/** Locally administered, by the card's place; no network sees it. */
export function templateMac(index: number): string {
  return `02:00:00:00:00:${(index + 1).toString(16).padStart(2, "0")}`;
}

/**
 * The memory of a template is a file that QEMU writes; that of a clone is the same file, mapped privately. It is
 * opened by descriptor, for QEMU makes a file that it does not find.
 */
export function incomingArguments(
  { memoryMiB }: MachineConfig,
  role: TemplateRole | undefined,
): string[] {
  if (role === undefined) return [];
  const path = role.kind === "save" ? role.memory : `/proc/self/fd/${TEMPLATE_MEMORY_FD}`;
  const share = role.kind === "save" ? "on" : "off";
  const file = `size=${memoryMiB}M,mem-path=${path.replaceAll(",", ",,")},share=${share}`;
  return [
    ...["-object", `memory-backend-file,id=memory,${file}`],
    ...["-machine", "memory-backend=memory"],
    ...(role.kind === "clone" ? ["-incoming", "defer"] : []),
  ];
}

/** The disk of a template: zeros, for what the kernel looks at when it finds a disk. */
export function templateDiskNode(
  { readOnly }: DiskConfig,
  index: number,
): Readonly<Record<string, unknown>> {
  return {
    "node-name": `disk${index}`,
    driver: "null-co",
    size: ANY_SIZE,
    "read-zeroes": true,
    "read-only": readOnly,
  };
}

/** Names of the tap devices that a template's cards are connected to; they are made for it. */
export function templateTaps({ networks }: MachineConfig): string[] {
  return networks.flatMap(({ backend }) => (backend.kind === "tap" ? [backend.name] : []));
}

/** The other end of a card that is to have a stream: a hub where nobody else is. */
export function templateCard(id: string): Readonly<Record<string, unknown>> {
  return { type: "hubport", id, hubid: 0 };
}
