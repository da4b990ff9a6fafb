/** Limits of a container as cgroup v2 files, and of a process as rlimits. */

import { RLIM_INFINITY, RLIMITS } from "../linux/resource.ts";
import type { Resources, Rlimit } from "../protocol/container-spec.ts";
import type { ResourceLimit } from "../syscalls/syscalls.ts";
import { containerError } from "./errors.ts";

/** One write to a cgroup's folder (kernel Documentation/admin-guide/cgroup-v2.rst). */
export interface CgroupSetting {
  readonly file: string;
  readonly value: string;
}

/** period of cpu.max where none is given, in `microseconds` */
const DEFAULT_CPU_PERIOD = 100_000;

/** smallest memory limit that Docker takes, in `bytes` */
const MIN_MEMORY = 6 * 1024 * 1024;

/**
 * The settings that `resources` asks for; what it leaves out stays as it is.
 *
 * @throws ContainerError `CONTAINER_SPEC` where limits contradict each other
 */
export function cgroupSettings(resources: Resources): CgroupSetting[] {
  return [...memorySettings(resources), ...cpuSettings(resources), ...pidsSettings(resources)];
}

/** The rlimit's number and values for prlimit64(2), `-1` being no limit. */
export function resourceLimit({ name, soft, hard }: Rlimit): {
  resource: number;
  limit: ResourceLimit;
} {
  const known: Readonly<Record<string, number>> = RLIMITS;
  const constant = `RLIMIT_${name.toUpperCase()}`;
  const resource = Object.hasOwn(known, constant) ? known[constant] : undefined;
  if (resource === undefined) refuse(`invalid ulimit type: ${name.slice(0, 64)}`);
  const limit = { soft: rlimitValue(soft), hard: rlimitValue(hard) };
  if (limit.soft > limit.hard)
    refuse(`ulimit soft limit must be at most the hard limit: ${name}=${soft}:${hard}`);
  return { resource, limit };
}

/**
 * Docker counts memory and swap together, cgroup v2 apart. With a memory limit alone Docker allows as much swap
 * again.
 */
function memorySettings({
  memory = 0,
  memorySwap = 0,
  memoryReservation = 0,
}: Resources): CgroupSetting[] {
  const settings: CgroupSetting[] = [];
  if (memory > 0 && memory < MIN_MEMORY)
    refuse(`minimum memory limit allowed is 6MB: ${memory} bytes`);
  if (memorySwap > 0 && memory <= 0)
    refuse(`memory limit should be set when memoryswap is set: ${memorySwap} bytes`);
  if (memorySwap > 0 && memorySwap < memory) {
    refuse(
      `minimum memoryswap limit should be larger than memory limit: ${memorySwap} < ${memory} bytes`,
    );
  }
  if (memory > 0 && memoryReservation > memory) {
    refuse(
      `minimum memory limit can not be less than memory reservation limit: ${memory} < ${memoryReservation} bytes`,
    );
  }
  if (memory !== 0) settings.push({ file: "memory.max", value: orMax(memory) });
  if (memorySwap > 0)
    settings.push({ file: "memory.swap.max", value: String(memorySwap - memory) });
  else if (memorySwap < 0) settings.push({ file: "memory.swap.max", value: "max" });
  else if (memory !== 0) settings.push({ file: "memory.swap.max", value: orMax(memory) });
  if (memoryReservation !== 0)
    settings.push({ file: "memory.low", value: orMax(memoryReservation) });
  return settings;
}

function cpuSettings({
  cpuQuota,
  cpuPeriod,
  cpuShares,
  cpusetCpus,
  cpusetMems,
}: Resources): CgroupSetting[] {
  const settings: CgroupSetting[] = [];
  if (cpuShares !== undefined && cpuShares !== 0) {
    settings.push({ file: "cpu.weight", value: String(cpuWeight(cpuShares)) });
  }
  if (cpuQuota !== undefined || cpuPeriod !== undefined) {
    const quota = cpuQuota === undefined || cpuQuota <= 0 ? "max" : String(cpuQuota);
    settings.push({ file: "cpu.max", value: `${quota} ${cpuPeriod ?? DEFAULT_CPU_PERIOD}` });
  }
  if (cpusetCpus) settings.push({ file: "cpuset.cpus", value: cpuList(cpusetCpus, "cpuset-cpus") });
  if (cpusetMems) settings.push({ file: "cpuset.mems", value: cpuList(cpusetMems, "cpuset-mems") });
  return settings;
}

/** OCI runtime-spec's map of 2..262144 to 1..10000 (config-linux.md, cgroup v2 CPU weight). */
function cpuWeight(shares: number): number {
  return 1 + Math.floor(((Math.max(shares, 2) - 2) * 9999) / 262_142);
}

function pidsSettings({ pids = 0 }: Resources): CgroupSetting[] {
  return pids === 0 ? [] : [{ file: "pids.max", value: orMax(pids) }];
}

function cpuList(text: string, flag: string): string {
  if (!/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(text))
    refuse(`invalid ${flag}: ${text.slice(0, 64)}`);
  return text;
}

function orMax(value: number): string {
  return value < 0 ? "max" : String(value);
}

function rlimitValue(value: number): number {
  return value < 0 ? RLIM_INFINITY : value;
}

function refuse(message: string): never {
  throw containerError("CONTAINER_SPEC", message);
}
