/** How large a machine a container needs, and what its kernel is told. */

import { availableParallelism, totalmem } from "node:os";
import type { Accelerator } from "../vmm/hypervisor.ts";
import type { ResourceConfig } from "./container-config.ts";
import { parseCpuList } from "./cpu-list.ts";

/**
 * Memory of a machine whose container has no limit, in `MiB`. The host hands it out as the guest touches it;
 * what a larger machine costs at once is its page structures, about 20 thousand instructions a MiB at boot.
 */
const DEFAULT_MEMORY = 512;

/** What kernel and agent need beside the container's own limit, in `MiB`: text, page structures and slab. */
const GUEST_OVERHEAD = 64;

/** One part in this many of memory is page structures (64 bytes for each page of 4096). */
const PAGE_STRUCTURES = 64;

/**
 * vCPUs of a machine whose container has no limit; --cpus and --cpuset-cpus ask for more. A container on Docker
 * sees all of the host's, but here each costs a thread on the host and a start-up in the guest. On KVM that is
 * little, and two let a program and its helper run side by side. On TCG a second one doubles the time that the
 * guest takes to boot: the kernel then calibrates timers and patches itself for SMP, and every emulated atomic
 * instruction has to be one on the host too.
 */
const DEFAULT_VCPUS: Readonly<Record<Accelerator, number>> = { kvm: 2, tcg: 1 };

export interface MachineShape {
  /** guest memory, in `MiB` */
  readonly memoryMiB: number;
  readonly vcpus: number;
}

export function machineShape(
  limits: ResourceConfig,
  accelerator: Accelerator,
  hostCpus: number = availableParallelism(),
  hostMemory: number = totalmem(),
): MachineShape {
  const usual = Math.min(hostCpus, DEFAULT_VCPUS[accelerator]);
  return { memoryMiB: machineMemory(limits, hostMemory), vcpus: machineCpus(limits, usual) };
}

/** Words of the kernel command line, before those of the backend: each line of the console costs exits. */
export function kernelCommandLine(): readonly string[] {
  return ["quiet"];
}

/** A limit beyond what the host has is none, as with Docker. @param hostMemory in `bytes` */
function machineMemory({ memory = 0 }: ResourceConfig, hostMemory: number): number {
  if (memory <= 0) return DEFAULT_MEMORY;
  const wanted = Math.ceil(memory / 2 ** 20) + GUEST_OVERHEAD;
  const whole = wanted + Math.ceil(wanted / PAGE_STRUCTURES);
  // whole huge pages on the host
  return Math.min(Math.ceil(whole / 2), Math.floor(hostMemory / 2 ** 21)) * 2;
}

/**
 * A cpuset names CPUs by number, which are the guest's: the machine has those up to the highest. The process
 * sees as many as the set has, and no more than these run at once, as with Docker.
 */
function machineCpus({ nanoCpus = 0, cpusetCpus = "" }: ResourceConfig, usual: number): number {
  const set = parseCpuList(cpusetCpus);
  const highest = set?.at(-1);
  if (highest !== undefined) return highest + 1;
  if (nanoCpus > 0) return Math.max(1, Math.ceil(nanoCpus / 1e9));
  return usual;
}
