/** What a machine can say of itself while it runs: exits served here, and what KVM counts of each vCPU. */

import * as kvm from "../../sys/kvm.ts";
import { FileTransfer } from "../devices/block/file-transfer.ts";
import type { System } from "./system.ts";

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
  const transfer = new FileTransfer(system);
  // none where the kernel is older than Linux 5.14
  const files = vcpus
    .map((fd) => system.ioctl(fd, kvm.KVM_GET_STATS_FD, 0))
    .filter((fd) => fd >= 0);
  return () => {
    const sums: Record<string, number> = {};
    for (const fd of files) {
      addCounters(transfer.load({ fd, offset: 0, length: STATISTICS_LIMIT }), sums);
    }
    return { age: system.now() - began, exits: counters.total, kvm: sums };
  };
}

/** Adds each cumulative counter of a vCPU to the one of its name. */
function addCounters(view: DataView, sums: Record<string, number>): void {
  const header = (field: "name_size" | "num_desc" | "desc_offset" | "data_offset"): number =>
    view.getUint32(kvm.kvm_stats_header[field], true);
  const [nameSize, data] = [header("name_size"), header("data_offset")];
  for (let index = 0; index < header("num_desc"); index++) {
    const at = header("desc_offset") + index * (kvm.kvm_stats_desc.size + nameSize);
    const type = view.getUint32(at + kvm.kvm_stats_desc.flags, true) & kvm.KVM_STATS_TYPE_MASK;
    if (type !== kvm.KVM_STATS_TYPE_CUMULATIVE) continue;
    const name = readName(view, at + kvm.kvm_stats_desc.size, nameSize);
    const offset = view.getUint32(at + kvm.kvm_stats_desc.offset, true);
    sums[name] = (sums[name] ?? 0) + Number(view.getBigUint64(data + offset, true));
  }
}

/** Of a field of `limit` bytes, that which is before the first NUL. */
function readName({ buffer }: DataView, at: number, limit: number): string {
  return String.fromCharCode(...new Uint8Array(buffer, at, limit)).replace(/\0.*/s, "");
}
