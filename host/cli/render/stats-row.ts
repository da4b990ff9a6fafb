/** A sample of a container's counters as a row of `stats` (docker/cli command/container stats_helpers.go). */

import { any, type Infer, integer, list, map, object, string } from "../../api/docker/schema.ts";
import { binarySize, humanSize } from "./size.ts";

const cpu = object({
  cpu_usage: object({ total_usage: integer }),
  system_cpu_usage: integer,
  online_cpus: integer,
});

export const statsSample = object({
  name: string,
  id: string,
  cpu_stats: cpu,
  precpu_stats: cpu,
  memory_stats: object({ usage: integer, limit: integer, stats: map(any) }),
  networks: map(object({ rx_bytes: integer, tx_bytes: integer })),
  blkio_stats: object({
    io_service_bytes_recursive: list(object({ op: string, value: integer })),
  }),
  pids_stats: object({ current: integer }),
});
export type StatsSample = Infer<typeof statsSample>;

export const STATS_TABLE =
  "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";

export const STATS_TITLES = {
  Container: "CONTAINER",
  ID: "CONTAINER ID",
  Name: "NAME",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
} as const;

/** @param reference the container as the user named it */
export function statsRow(
  sample: StatsSample,
  { reference, whole }: { readonly reference: string; readonly whole: boolean },
): Readonly<Record<string, unknown>> {
  const { memory_stats: memory, networks, blkio_stats: blkio } = sample;
  const { inactive_file: inactive } = memory.stats;
  const used = Math.max(memory.usage - (typeof inactive === "number" ? inactive : 0), 0);
  const network = Object.values(networks);
  const moved = (operation: string) =>
    sum(
      blkio.io_service_bytes_recursive
        .filter(({ op }) => op.toLowerCase() === operation)
        .map(({ value }) => value),
    );
  const received = sum(network.map(({ rx_bytes: bytes }) => bytes));
  const sent = sum(network.map(({ tx_bytes: bytes }) => bytes));
  return {
    BlockIO: `${humanSize(moved("read"))} / ${humanSize(moved("write"))}`,
    CPUPerc: `${cpuShare(sample).toFixed(2)}%`,
    Container: reference,
    ID: whole ? sample.id : sample.id.slice(0, 12),
    MemPerc: `${(memory.limit === 0 ? 0 : (used / memory.limit) * 100).toFixed(2)}%`,
    MemUsage: `${binarySize(used)} / ${binarySize(memory.limit)}`,
    Name: sample.name.replace(/^\//, ""),
    NetIO: `${humanSize(received)} / ${humanSize(sent)}`,
    PIDs: String(sample.pids_stats.current),
  };
}

/** In `percent` of one CPU. */
function cpuShare({ cpu_stats: now, precpu_stats: before }: StatsSample): number {
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const possible = now.system_cpu_usage - before.system_cpu_usage;
  if (used <= 0 || possible <= 0) return 0;
  return (used / possible) * (now.online_cpus || 1) * 100;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
