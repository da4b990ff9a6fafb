/** What machines must have in common for one to be a clone of the other. */

import type { MachineConfig } from "../hypervisor.ts";

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
