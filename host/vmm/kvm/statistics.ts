/** What a machine can say of itself while it runs: exits served here, and what KVM counts of each vCPU. */

import {
  KVM_GET_STATS_FD,
  KVM_STATS_TYPE_CUMULATIVE,
  KVM_STATS_TYPE_MASK,
  kvm_stats_desc,
  kvm_stats_header,
} from "../../sys/kvm.ts";
import { IoVector } from "../memory/io-vector.ts";
import { check, type Mapping, type System } from "./system.ts";

/** Room for everything that a statistics descriptor gives; Linux 6.1 has some 5 KiB for a vCPU. */
const STATISTICS_LIMIT = 64 * 1024;

export interface MachineStatistics {
  /** time since the first call to KVM, in `milliseconds` */
  readonly age: number;
  /** exits from KVM_RUN to the VMM, of all vCPUs */
  readonly exits: number;
  /** KVM's cumulative counters, by its own names, summed over the vCPUs; empty for a KVM that counts nothing */
  readonly kvm: Readonly<Record<string, number>>;
}

/** One counter of exits for each vCPU, in memory that all threads share; each has one writer, so none is locked. */
export class ExitCounters {
  readonly shared: SharedArrayBuffer;
  readonly #counters: Float64Array<SharedArrayBuffer>;

  /** @param of the counters that another thread has made, or the number of vCPUs to make them for */
  constructor(of: SharedArrayBuffer | number) {
    this.shared = typeof of === "number" ? new SharedArrayBuffer(8 * of) : of;
    this.#counters = new Float64Array(this.shared);
  }

  count(vcpu: number): void {
    this.#counters[vcpu] = (this.#counters[vcpu] ?? 0) + 1;
  }

  get total(): number {
    return this.#counters.reduce((sum, counter) => sum + counter, 0);
  }
}

export interface StatisticsOptions {
  /** when the machine was begun, monotonic, in `milliseconds` */
  readonly began: number;
  readonly counters: ExitCounters;
  /** descriptors of the vCPUs */
  readonly vcpus: readonly number[];
}

/** Opens the statistics of the vCPUs, to be read as often as one likes. */
export function openStatistics(
  system: System,
  { began, counters, vcpus }: StatisticsOptions,
): () => MachineStatistics {
  const files = vcpus.flatMap((fd) => openVcpu(system, fd));
  return () => {
    const kvm: Record<string, number> = {};
    for (const file of files) file.addTo(kvm);
    return { age: system.now() - began, exits: counters.total, kvm };
  };
}

/** The statistics of one vCPU; none where the kernel is older than Linux 5.14. */
function openVcpu(system: System, vcpu: number): StatisticsFile[] {
  const fd = system.ioctl(vcpu, KVM_GET_STATS_FD, 0);
  return fd < 0 ? [] : [new StatisticsFile(system, fd)];
}

class StatisticsFile {
  readonly #system: System;
  readonly #fd: number;
  readonly #vector: IoVector;
  readonly #file: Mapping;

  constructor(system: System, fd: number) {
    this.#system = system;
    this.#fd = fd;
    this.#file = system.map(STATISTICS_LIMIT);
    this.#vector = new IoVector(system);
    this.#vector.add(this.#file.address, STATISTICS_LIMIT);
  }

  /** Adds each cumulative counter to the one of its name. */
  addTo(sums: Record<string, number>): void {
    const { address, count } = this.#vector;
    const length = check("preadv", this.#system.preadv(this.#fd, address, count, 0));
    const view = new DataView(this.#file.bytes, 0, length);
    const header = (field: "name_size" | "num_desc" | "desc_offset" | "data_offset"): number =>
      view.getUint32(kvm_stats_header[field], true);
    const [nameSize, data] = [header("name_size"), header("data_offset")];
    for (let index = 0; index < header("num_desc"); index++) {
      const at = header("desc_offset") + index * (kvm_stats_desc.size + nameSize);
      const type = view.getUint32(at + kvm_stats_desc.flags, true) & KVM_STATS_TYPE_MASK;
      if (type !== KVM_STATS_TYPE_CUMULATIVE) continue;
      const name = readName(view, at + kvm_stats_desc.size, nameSize);
      const value = view.getBigUint64(
        data + view.getUint32(at + kvm_stats_desc.offset, true),
        true,
      );
      sums[name] = (sums[name] ?? 0) + Number(value);
    }
  }
}

function readName(view: DataView, at: number, limit: number): string {
  let name = "";
  for (let index = 0; index < limit; index++) {
    const code = view.getUint8(at + index);
    if (code === 0) break;
    name += String.fromCharCode(code);
  }
  return name;
}
