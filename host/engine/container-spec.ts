/** What the guest makes of the container around its processes. */

import { hostname } from "node:os";
import type { ContainerSpec, Resources } from "#protocol";
import type { PreparedNetwork } from "../network/prepared-network.ts";
import type { ContainerConfig, ResourceConfig } from "./container-config.ts";
import { shortId } from "./container-name.ts";
import { guestDevices } from "./guest-devices.ts";
import { networkFiles } from "./networks/network-files.ts";
import { NO_NETWORK } from "./networks/prepare-network.ts";
import { guestRoot } from "./storage/container-disk.ts";
import { NO_MOUNTS, type PreparedMounts } from "./volumes/prepared-mounts.ts";

/** Docker's size of /dev/shm, in `bytes`. */
const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;
/** Docker's period for a limit given as a number of CPUs, in `microseconds`. */
const CPU_PERIOD = 100_000;

export function containerHostname(id: string, config: ContainerConfig): string {
  return config.hostname ?? (config.network === "host" ? hostname() : shortId(id));
}

export function containerSpec(
  id: string,
  config: ContainerConfig,
  network: PreparedNetwork = NO_NETWORK,
  mounts: PreparedMounts = NO_MOUNTS,
): ContainerSpec {
  return {
    hostname: containerHostname(id, config),
    domainname: config.domainname ?? "",
    rootfs: guestRoot(config),
    mounts: [
      ...config.tmpfs.map(
        ({ destination, options }) =>
          ({ destination, type: "tmpfs", source: "", options }) as const,
      ),
      ...mounts.specs,
    ],
    shmSize: config.shmSize || DEFAULT_SHM_SIZE,
    ...networkFiles(containerHostname(id, config), config, network),
    sysctls: config.sysctls,
    resources: guestResources(config.resources),
    ...(mounts.swap === undefined ? {} : { swap: mounts.swap }),
    namespaces: {
      // the machine has no other container to keep apart: its interfaces are the container's
      network: network.interfaces.length > 0 ? "guest" : "private",
      pid: "private",
      ipc: "private",
      uts: "private",
      cgroup: "private",
      user: config.userNamespace ?? "guest",
    },
    ...(config.ipcMode === "shareable" ? { shareableIpc: true } : {}),
    privileged: config.privileged,
    ...guestDevices(config),
    init: config.init,
  };
}

/** Docker's numbers as the guest's: what is not limited is left out. */
export function guestResources(limits: ResourceConfig): Resources {
  const { memory = 0, memorySwap = 0, nanoCpus = 0, pids = 0 } = limits;
  const cpu =
    nanoCpus > 0
      ? { cpuQuota: Math.round((nanoCpus * CPU_PERIOD) / 1e9), cpuPeriod: CPU_PERIOD }
      : {
          ...positive("cpuQuota", limits.cpuQuota),
          ...positive("cpuPeriod", limits.cpuPeriod),
        };
  // Docker's default is as much swap as memory (moby daemon adaptContainerSettings)
  const swap = memory > 0 && memorySwap === 0 ? memory * 2 : memorySwap;
  return {
    ...positive("memory", memory),
    ...positive("memoryReservation", limits.memoryReservation),
    ...(swap === 0 ? {} : { memorySwap: swap }),
    ...cpu,
    ...positive("cpuShares", limits.cpuShares),
    ...(limits.cpusetCpus ? { cpusetCpus: limits.cpusetCpus } : {}),
    ...(limits.cpusetMems ? { cpusetMems: limits.cpusetMems } : {}),
    ...positive("pids", pids),
  };
}

function positive<K extends string>(
  key: K,
  value: number | undefined,
): { readonly [P in K]?: number } {
  return (value === undefined || value <= 0 ? {} : { [key]: value }) as {
    readonly [P in K]?: number;
  };
}
