/** What machines must have in common for one to be a clone of the other. */

import type { MachineConfig } from "../hypervisor.ts";

/**
 * A machine's shape as a configuration: what every machine has of its own is replaced by the same for all.
 *
 * @param canShare whether machines can share folders and be clones; where a server of folders is a process of its own, the
 * machine's memory belongs to that, too
 * @returns nothing for a machine that can be no clone
 */
export function shapeOf(
  config: MachineConfig,
  { canShare = false }: { readonly canShare?: boolean | undefined } = {},
): MachineConfig | undefined {
  const { disks, networks, shares } = config;
  if (shares.length > 0 && !canShare) return undefined;
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
    // one device, whatever it shares
    shares: shares.slice(0, 1).map(() => ({ name: "template", path: "/", readOnly: true })),
  };
}

/** Locally administered, by the card's place; no network sees it. */
export function templateMac(index: number): string {
  return `02:00:00:00:00:${(index + 1).toString(16).padStart(2, "0")}`;
}
