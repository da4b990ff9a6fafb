/**
 * What the kernel keeps of a machine, read from it and given back to another: interrupt controllers, timer and clock of
 * the VM, and all of each vCPU. No vCPU is in the guest meanwhile.
 */

import * as kvm from "../../sys/kvm.ts";
import {
  type MachineState,
  MachineStateError,
  Section,
  type SectionKind,
} from "./machine-state.ts";
import { control, KVM, type KvmName, type Mapping, type System } from "./system.ts";

const MSR_IA32_TSC_DEADLINE = 0x6e0;
/** MSRs of one request at most; MAX_IO_MSRS of arch/x86/kvm/x86.c, Linux 6.1 */
const MSRS_LIMIT = 256;

/** A structure that is read by one request and given back by another. */
interface Part {
  readonly kind: SectionKind;
  readonly get: KvmName;
  readonly set: KvmName;
  /** in `bytes` */
  readonly size: number;
}

const PIT = part(Section.pit, "PIT2", kvm.kvm_pit_state2);
const CLOCK = part(Section.clock, "CLOCK", kvm.kvm_clock_data);
/**
 * Of each vCPU, in the order in which they are read and given back. The run state is the first, for reading it settles
 * what is pending; MSRs come after the local APIC, for one of them sets its timer; events come last, for the others
 * change them.
 */
const BEFORE_MSRS = [
  part(Section.mpState, "MP_STATE", kvm.kvm_mp_state),
  part(Section.registers, "REGS", kvm.kvm_regs),
  part(Section.specialRegisters, "SREGS", kvm.kvm_sregs),
  part(Section.extendedControl, "XCRS", kvm.kvm_xcrs),
  part(Section.xsave, "XSAVE", kvm.kvm_xsave),
  part(Section.debugRegisters, "DEBUGREGS", kvm.kvm_debugregs),
  part(Section.localApic, "LAPIC", kvm.kvm_lapic_state),
];
const EVENTS = part(Section.events, "VCPU_EVENTS", kvm.kvm_vcpu_events);
const CHIPS = [kvm.KVM_IRQCHIP_PIC_MASTER, kvm.KVM_IRQCHIP_PIC_SLAVE, kvm.KVM_IRQCHIP_IOAPIC];

/** The requests that saving makes, on KVM, a VM and its vCPUs. */
export const SAVING_REQUESTS: readonly number[] = [
  ...[kvm.KVM_CHECK_EXTENSION, kvm.KVM_GET_MSR_INDEX_LIST],
  ...[kvm.KVM_GET_IRQCHIP, kvm.KVM_GET_XSAVE2, kvm.KVM_GET_MSRS],
  ...[PIT, CLOCK, ...BEFORE_MSRS, EVENTS].map(({ get }) => KVM[get]),
];

export class KernelState {
  readonly #system: System;
  readonly #argument: Mapping;
  /** MSRs that are part of the state */
  readonly #msrs: readonly number[];
  readonly #beforeMsrs: readonly Part[];

  /** @param kvmFd descriptor of the KVM device, which is asked for what there is to save */
  constructor(system: System, kvmFd: number) {
    this.#system = system;
    const xsave = system.ioctl(kvmFd, kvm.KVM_CHECK_EXTENSION, kvm.KVM_CAP_XSAVE2);
    const xsaveSize = Math.max(kvm.kvm_xsave.size, xsave);
    this.#argument = system.map(
      Math.max(xsaveSize, kvm.kvm_msrs.size + MSRS_LIMIT * kvm.kvm_msr_entry.size),
    );
    this.#msrs = this.#listMsrs(kvmFd);
    this.#beforeMsrs = BEFORE_MSRS.map((one) =>
      one.kind === Section.xsave ? enlarge(one, xsaveSize) : one,
    );
  }

  /** Reads all of it; no vCPU is in the guest. */
  save(state: MachineState, vmFd: number, vcpuFds: readonly number[]): void {
    for (const chip of CHIPS) {
      this.#view().setUint32(kvm.kvm_irqchip.chip_id, chip, true);
      this.#call(vmFd, "KVM_GET_IRQCHIP");
      state.set(Section.irqchip, chip, this.#bytes(kvm.kvm_irqchip.size));
    }
    this.#get(state, vmFd, PIT, 0);
    for (const [id, fd] of vcpuFds.entries()) {
      for (const part of this.#beforeMsrs) this.#get(state, fd, part, id);
      state.set(Section.msrs, id, this.#getMsrs(fd));
      this.#get(state, fd, EVENTS, id);
    }
    this.#get(state, vmFd, CLOCK, 0);
  }

  /** Gives a VM back what is its own, once it has all its vCPUs and their state. */
  restoreVm(state: MachineState, vmFd: number): void {
    for (const chip of CHIPS) {
      this.#put(state.get(Section.irqchip, chip, kvm.kvm_irqchip.size));
      this.#call(vmFd, "KVM_SET_IRQCHIP");
    }
    this.#set(state, vmFd, PIT, 0);
    this.#set(state, vmFd, CLOCK, 0);
  }

  restoreVcpu(state: MachineState, fd: number, id: number): void {
    for (const part of this.#beforeMsrs) this.#set(state, fd, part, id);
    this.#setMsrs(state, fd, id);
    this.#set(state, fd, EVENTS, id);
  }

  #get(state: MachineState, fd: number, { kind, get, size }: Part, index: number): void {
    this.#call(fd, get);
    state.set(kind, index, this.#bytes(size));
  }

  #set(state: MachineState, fd: number, { kind, set, size }: Part, index: number): void {
    this.#put(state.get(kind, index, size));
    this.#call(fd, set);
  }

  /** Those that KVM lists; the one that starts the local APIC's timer last, for it counts from the others. */
  #listMsrs(kvmFd: number): number[] {
    const view = this.#view();
    view.setUint32(kvm.kvm_msr_list.nmsrs, MSRS_LIMIT, true);
    this.#call(kvmFd, "KVM_GET_MSR_INDEX_LIST");
    const msrs = Array.from({ length: view.getUint32(kvm.kvm_msr_list.nmsrs, true) }, (_, index) =>
      view.getUint32(kvm.kvm_msr_list.indices + 4 * index, true),
    );
    const others = msrs.filter((msr) => msr !== MSR_IA32_TSC_DEADLINE);
    return others.length < msrs.length ? [...others, MSR_IA32_TSC_DEADLINE] : others;
  }

  /** Entries of struct kvm_msr_entry. KVM stops at one that this processor has not: that one is left out. */
  #getMsrs(fd: number): Uint8Array {
    const read: Uint8Array[] = [];
    for (let rest = this.#msrs; rest.length > 0; ) {
      const view = this.#view();
      view.setUint32(kvm.kvm_msrs.nmsrs, rest.length, true);
      for (const [index, msr] of rest.entries()) {
        const at = kvm.kvm_msrs.entries + index * kvm.kvm_msr_entry.size;
        view.setBigUint64(at, 0n, true);
        view.setUint32(at + kvm.kvm_msr_entry.index, msr, true);
      }
      const count = this.#call(fd, "KVM_GET_MSRS");
      const length = kvm.kvm_msrs.entries + count * kvm.kvm_msr_entry.size;
      read.push(this.#bytes(length).slice(kvm.kvm_msrs.entries));
      rest = rest.slice(count + 1);
    }
    return Uint8Array.from(read.flatMap((part) => [...part]));
  }

  /** One that cannot be set does no harm if there is nothing in it. */
  #setMsrs(state: MachineState, fd: number, id: number): void {
    const { size } = kvm.kvm_msr_entry;
    let rest = state.get(Section.msrs, id);
    if (rest.length % size !== 0 || rest.length > MSRS_LIMIT * size) {
      throw new MachineStateError(`MSRs of ${rest.length} bytes`);
    }
    while (rest.length > 0) {
      const view = this.#view();
      view.setUint32(kvm.kvm_msrs.nmsrs, rest.length / size, true);
      new Uint8Array(this.#argument.bytes).set(rest, kvm.kvm_msrs.entries);
      const count = this.#call(fd, "KVM_SET_MSRS");
      const failed = kvm.kvm_msrs.entries + count * size;
      if (
        count * size < rest.length &&
        view.getBigUint64(failed + kvm.kvm_msr_entry.data, true) !== 0n
      ) {
        const msr = view.getUint32(failed + kvm.kvm_msr_entry.index, true);
        throw new MachineStateError(`MSR 0x${msr.toString(16)} cannot be set`);
      }
      rest = rest.subarray((count + 1) * size);
    }
  }

  #view(): DataView {
    new Uint8Array(this.#argument.bytes).fill(0);
    return new DataView(this.#argument.bytes);
  }

  #bytes(length: number): Uint8Array {
    return new Uint8Array(this.#argument.bytes, 0, length);
  }

  #put(content: Uint8Array): void {
    new Uint8Array(this.#argument.bytes).set(content);
  }

  #call(fd: number, request: KvmName): number {
    return control(this.#system, fd, request, this.#argument.address);
  }
}

type Structure =
  | ("PIT2" | "CLOCK" | "MP_STATE" | "REGS" | "SREGS" | "XCRS" | "XSAVE")
  | ("DEBUGREGS" | "LAPIC" | "VCPU_EVENTS");

function part(kind: SectionKind, name: Structure, { size }: { readonly size: number }): Part {
  return { kind, get: `KVM_GET_${name}`, set: `KVM_SET_${name}`, size };
}

/** For a processor whose state may be larger than struct kvm_xsave. */
function enlarge(xsave: Part, size: number): Part {
  return size > xsave.size ? { ...xsave, get: "KVM_GET_XSAVE2", size } : xsave;
}
