/**
 * Limits that version 2 of the kernel's cgroups does not have. As Docker does on such a host, they are told of and left
 * out (moby daemon/daemon_unix.go, verifyPlatformContainerResources).
 */

import { swapBytes } from "../../engine/volumes/swap-disk.ts";
import type { HostConfigBody } from "./create-body.ts";

/** @returns a warning for each that is asked for */
export function discardedLimits(
  limits: Pick<HostConfigBody, "Memory" | "MemorySwap" | "MemorySwappiness" | "OomKillDisable">,
): string[] {
  const { MemorySwappiness: swappiness = -1, OomKillDisable: keepsAlive = false } = limits;
  const { Memory: memory, MemorySwap: memorySwap } = limits;
  return [
    ...(swappiness === -1 || swapBytes({ memory, memorySwap }) > 0
      ? []
      : ["MemorySwappiness is discarded: a machine has swap where --memory-swap asks for it"]),
    ...(keepsAlive
      ? ["OomKillDisable is discarded: cgroup v2 has none; OomScoreAdj -1000 spares a process"]
      : []),
  ];
}
