/**
 * Limits that version 2 of the kernel's cgroups does not have. As Docker does on such a host, they are told of and left
 * out (moby daemon/daemon_unix.go, verifyPlatformContainerResources).
 */

import type { HostConfigBody } from "./create-body.ts";

/** @returns a warning for each that is asked for */
export function discardedLimits(
  limits: Pick<HostConfigBody, "MemorySwappiness" | "OomKillDisable">,
): string[] {
  const { MemorySwappiness: swappiness = -1, OomKillDisable: keepsAlive = false } = limits;
  return [
    ...(swappiness === -1
      ? []
      : ["MemorySwappiness is discarded: cgroup v2 has none, and a machine has no swap"]),
    ...(keepsAlive
      ? ["OomKillDisable is discarded: cgroup v2 has none; OomScoreAdj -1000 spares a process"]
      : []),
  ];
}
