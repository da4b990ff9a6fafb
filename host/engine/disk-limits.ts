/** What the container's disks may use: the limits of block devices, which are those of files here. */

import type { DiskLimits, RateLimit } from "../vmm/hypervisor.ts";
import type { DeviceRate, ResourceConfig } from "./container-config.ts";

/**
 * Docker limits devices of the host, by their names. A container's disks are files on one of them, so whichever is
 * named, the limit is for all of them together; the lowest of several counts.
 */
export function diskLimits({ deviceRates = {} }: ResourceConfig): DiskLimits | undefined {
  const read = rateLimit(deviceRates.readBps, deviceRates.readIops);
  const write = rateLimit(deviceRates.writeBps, deviceRates.writeIops);
  if (read === undefined && write === undefined) return undefined;
  return { ...(read ? { read } : {}), ...(write ? { write } : {}) };
}

function rateLimit(
  bytes: readonly DeviceRate[] = [],
  operations: readonly DeviceRate[] = [],
): RateLimit | undefined {
  const limit = {
    ...(bytes.length > 0 ? { bytesPerSecond: lowest(bytes) } : {}),
    ...(operations.length > 0 ? { operationsPerSecond: lowest(operations) } : {}),
  };
  return Object.keys(limit).length > 0 ? limit : undefined;
}

function lowest(rates: readonly DeviceRate[]): number {
  return Math.min(...rates.map(({ rate }) => rate));
}
