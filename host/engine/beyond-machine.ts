/** What a machine that runs cannot give a container whose limits are raised: it keeps the shape that it began with. */

import type { Accelerator } from "../vmm/hypervisor.ts";
import type { ResourceConfig } from "./container-config.ts";
import { parseCpuList } from "./cpu-list.ts";
import { engineError } from "./errors.ts";
import { type MachineShape, machineShape } from "./machine-shape.ts";
import { swapBytes } from "./volumes/swap-disk.ts";

export interface RunningShape extends MachineShape {
  readonly accelerator: Accelerator;
  /** size of what it may swap to, in `bytes` */
  readonly swap: number;
}

const UNTIL = "until its container is started again";

/** Of a machine that is started for a container with these limits. */
export function runningShape(limits: ResourceConfig, accelerator: Accelerator): RunningShape {
  return { ...machineShape(limits, accelerator), accelerator, swap: swapBytes(limits) };
}

/** @returns a sentence for each limit that is beyond it, and counts from the next start on */
export function beyondMachine(limits: ResourceConfig, shape: RunningShape): string[] {
  const { memoryMiB, vcpus, swap } = shape;
  const wanted = runningShape(limits, shape.accelerator);
  return [
    ...(wanted.memoryMiB > memoryMiB ? [`the machine has ${memoryMiB} MiB of memory`] : []),
    ...(wanted.vcpus > vcpus ? [`the machine has ${vcpus} vCPU`] : []),
    ...(wanted.swap > swap ? [`the machine has ${Math.floor(swap / 2 ** 20)} MiB of swap`] : []),
  ].map((what) => `${what} ${UNTIL}`);
}

/** The limits with those CPUs alone that it has. @throws DvmError `NOT_SUPPORTED` when that is none */
export function withinMachine(limits: ResourceConfig, { vcpus }: RunningShape): ResourceConfig {
  const { cpusetCpus = "" } = limits;
  const set = parseCpuList(cpusetCpus);
  if (set === undefined || set.every((cpu) => cpu < vcpus)) return limits;
  const there = set.filter((cpu) => cpu < vcpus);
  if (there.length > 0) return { ...limits, cpusetCpus: there.join() };
  throw engineError(
    "NOT_SUPPORTED",
    `the machine has ${vcpus} vCPU ${UNTIL}, and none of ${cpusetCpus}`,
    { hint: "stop the container, update it and start it" },
  );
}
