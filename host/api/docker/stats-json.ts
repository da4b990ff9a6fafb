/** Counters as `GET /containers/{id}/stats` tells them, for the arithmetic of Docker's clients (cgroup v2). */

import type { StatsSample } from "../../engine/daemon/model.ts";
import { ZERO_TIME } from "./container-json.ts";

/** What a container that does not run has. */
export function emptyStatsJson(container: StatsOwner): Record<string, unknown> {
  return {
    name: `/${container.name}`,
    id: container.id,
    read: ZERO_TIME,
    preread: ZERO_TIME,
    pids_stats: {},
    blkio_stats: blkio([]),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuJson(undefined),
    precpu_stats: cpuJson(undefined),
    memory_stats: {},
  };
}

export interface StatsOwner {
  readonly id: string;
  readonly name: string;
}

/** @param before the sample from which the client computes how much of the CPU is used; absent: none */
export function statsJson(
  container: StatsOwner,
  sample: StatsSample,
  before: StatsSample | undefined,
): Record<string, unknown> {
  return {
    name: `/${container.name}`,
    id: container.id,
    read: sample.read,
    preread: before?.read ?? ZERO_TIME,
    pids_stats: { current: sample.pids },
    blkio_stats: blkio([
      { major: 0, minor: 0, op: "read", value: sample.ioReadBytes },
      { major: 0, minor: 0, op: "write", value: sample.ioWriteBytes },
    ]),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuJson(sample),
    precpu_stats: cpuJson(before),
    memory_stats: {
      usage: sample.memoryBytes,
      limit: sample.memoryLimitBytes,
      // the client takes it off the usage
      stats: { inactive_file: sample.memoryInactiveFileBytes },
    },
    ...networksJson(sample.networks),
  };
}

/** Times in `nanoseconds`. */
function cpuJson(sample: StatsSample | undefined): Record<string, unknown> {
  const nanoseconds = (microseconds = 0) => microseconds * 1000;
  return {
    cpu_usage: {
      total_usage: nanoseconds(sample?.cpuMicroseconds),
      usage_in_kernelmode: nanoseconds(sample?.cpuSystemMicroseconds),
      usage_in_usermode: nanoseconds(sample?.cpuUserMicroseconds),
    },
    ...(sample === undefined
      ? {}
      : {
          system_cpu_usage: nanoseconds(sample.systemCpuMicroseconds),
          online_cpus: sample.onlineCpus,
        }),
    throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  };
}

function blkio(bytes: readonly object[]): Record<string, unknown> {
  return {
    io_service_bytes_recursive: bytes.length > 0 ? bytes : null,
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}

function networksJson(networks: StatsSample["networks"]): Record<string, unknown> {
  const entries = Object.entries(networks).map(([name, { receivedBytes, sentBytes }]) => [
    name,
    {
      rx_bytes: receivedBytes,
      rx_packets: 0,
      rx_errors: 0,
      rx_dropped: 0,
      tx_bytes: sentBytes,
      tx_packets: 0,
      tx_errors: 0,
      tx_dropped: 0,
    },
  ]);
  return entries.length === 0 ? {} : { networks: Object.fromEntries(entries) };
}
