/** One virtual processor: its creation, its first state, and the loop that runs it. */

import * as kvm from "../../sys/kvm.ts";
import { CPUID_FIELDS, type CpuidEntry, filterCpuid } from "../x86_64/cpuid.ts";
import { setEntryRegs, setEntrySregs } from "../x86_64/registers.ts";
import type { Bus } from "./bus.ts";
import { control, EAGAIN, EINTR, type HostAddress, type Mapping, type System } from "./system.ts";
import type { Vm } from "./vm.ts";

/** Room for the CPUID leaves of any host; KVM itself has a limit of 256 since Linux 5.13. */
const CPUID_ENTRIES_LIMIT = 256;

/** leaf of the state that XSAVE saves */
const CPUID_XSTATE = 0xd;

const MSR_IA32_MISC_ENABLE = 0x1a0;
const MISC_ENABLE_FAST_STRING = 1;

/** A vCPU that is ready to run, as one thread hands it to another. */
export interface Vcpu {
  readonly id: number;
  readonly fd: number;
  /** where the struct kvm_run is mapped; it is followed by the data page of port exits */
  readonly run: HostAddress;
  /** length of that mapping, in `bytes` */
  readonly runLength: number;
}

export interface VcpuOptions {
  readonly id: number;
  /** number of vCPUs of the machine */
  readonly vcpus: number;
}

/** A vCPU as the thread that made it sees it. */
export interface CreatedVcpu {
  readonly vcpu: Vcpu;
  /** struct kvm_run */
  readonly run: DataView;
  /** Puts it where PVH starts, if it is the first; the others wait for its start-up interrupt. */
  readonly setEntry: (address: number) => void;
}

/** Creates a vCPU, which is the processor that the others are. */
export function createVcpu(system: System, vm: Vm, options: VcpuOptions): CreatedVcpu {
  const { id } = options;
  const fd = control(system, vm.fd, "KVM_CREATE_VCPU", id);
  const runLength = control(system, vm.kvmFd, "KVM_GET_VCPU_MMAP_SIZE", 0);
  const run = system.map(runLength, { fd, shared: true });
  const argument = system.map(
    kvm.kvm_cpuid2.size + CPUID_ENTRIES_LIMIT * kvm.kvm_cpuid_entry2.size,
  );
  const entries = setCpuid(system, { vm, fd, argument, options });
  setExtendedControl(system, { fd, argument, entries });
  setMsrs(system, fd, argument);
  return {
    vcpu: { id, fd, run: run.address, runLength },
    run: new DataView(run.bytes),
    setEntry: (entry) => {
      if (id === 0) setRegisters(system, { fd, argument, entry });
    },
  };
}

function setCpuid(
  system: System,
  { vm, fd, argument, options }: { vm: Vm; fd: number; argument: Mapping; options: VcpuOptions },
): readonly CpuidEntry[] {
  const view = new DataView(argument.bytes);
  view.setUint32(kvm.kvm_cpuid2.nent, CPUID_ENTRIES_LIMIT, true);
  control(system, vm.kvmFd, "KVM_GET_SUPPORTED_CPUID", argument.address);
  const supported = Array.from({ length: view.getUint32(kvm.kvm_cpuid2.nent, true) }, (_, index) =>
    readCpuidEntry(view, kvm.kvm_cpuid2.entries + index * kvm.kvm_cpuid_entry2.size),
  );
  const filtered = filterCpuid(supported, { apicId: options.id, vcpus: options.vcpus });
  const entries = filtered.slice(0, CPUID_ENTRIES_LIMIT);
  view.setUint32(kvm.kvm_cpuid2.nent, entries.length, true);
  for (const [index, entry] of entries.entries()) {
    writeCpuidEntry(view, kvm.kvm_cpuid2.entries + index * kvm.kvm_cpuid_entry2.size, entry);
  }
  control(system, fd, "KVM_SET_CPUID2", argument.address);
  return entries;
}

function readCpuidEntry(view: DataView, at: number): CpuidEntry {
  const field = (name: (typeof CPUID_FIELDS)[number]): number =>
    view.getUint32(at + kvm.kvm_cpuid_entry2[name], true);
  return Object.fromEntries(CPUID_FIELDS.map((name) => [name, field(name)])) as CpuidEntry; // all of its fields
}

function writeCpuidEntry(view: DataView, at: number, entry: CpuidEntry): void {
  for (const name of CPUID_FIELDS)
    view.setUint32(at + kvm.kvm_cpuid_entry2[name], entry[name], true);
}

/**
 * XCR0 begins with all that the guest may enable, as Linux does at once. QEMU's emulated SVM (7.2) does not intercept
 * XSETBV: there KVM would go on with the value after reset, and show the guest an XSAVE area that is too small.
 */
function setExtendedControl(
  system: System,
  { fd, argument, entries }: { fd: number; argument: Mapping; entries: readonly CpuidEntry[] },
): void {
  const features = entries.find((entry) => entry.function === CPUID_XSTATE && entry.index === 0);
  if (features === undefined || features.eax === 0) return;
  new Uint8Array(argument.bytes).fill(0, 0, kvm.kvm_xcrs.size);
  const view = new DataView(argument.bytes);
  view.setUint32(kvm.kvm_xcrs.nr_xcrs, 1, true);
  view.setUint32(kvm.kvm_xcrs["xcrs[0].value"], features.eax, true);
  view.setUint32(kvm.kvm_xcrs["xcrs[0].value"] + 4, features.edx, true);
  control(system, fd, "KVM_SET_XCRS", argument.address);
}

function setMsrs(system: System, fd: number, argument: Mapping): void {
  const view = new DataView(argument.bytes);
  view.setUint32(kvm.kvm_msrs.nmsrs, 1, true);
  const at = kvm.kvm_msrs.entries;
  view.setBigUint64(at, 0n, true);
  view.setUint32(at + kvm.kvm_msr_entry.index, MSR_IA32_MISC_ENABLE, true);
  view.setBigUint64(at + kvm.kvm_msr_entry.data, BigInt(MISC_ENABLE_FAST_STRING), true);
  control(system, fd, "KVM_SET_MSRS", argument.address);
}

function setRegisters(
  system: System,
  { fd, argument, entry }: { fd: number; argument: Mapping; entry: number },
): void {
  const { address, bytes } = argument;
  control(system, fd, "KVM_GET_SREGS", address);
  setEntrySregs(new DataView(bytes, 0, kvm.kvm_sregs.size));
  control(system, fd, "KVM_SET_SREGS", address);
  new Uint8Array(bytes).fill(0, 0, kvm.kvm_regs.size);
  setEntryRegs(new DataView(bytes, 0, kvm.kvm_regs.size), entry);
  control(system, fd, "KVM_SET_REGS", address);
}

/** Why a vCPU stopped for good. */
export type VcpuEnd =
  | { readonly reason: "reset" }
  | { readonly reason: "triple-fault" }
  | { readonly reason: "vmm-error"; readonly message: string };

export interface RunOptions {
  /** struct kvm_run */
  readonly run: ArrayBuffer;
  readonly bus: Bus;
  readonly onExit: () => void;
  readonly onInterrupted: (run: DataView) => void;
}

/**
 * Runs a vCPU until it ends. Every exit is served in this thread and before the next KVM_RUN; data paths
 * do not come by here (ioeventfd, irqfd).
 *
 * `run` is the struct kvm_run, shared with the kernel, which writes it only inside KVM_RUN.
 */
export function runVcpu(
  system: System,
  fd: number,
  { run, bus, onExit, onInterrupted }: RunOptions,
): VcpuEnd {
  const view = new DataView(run);
  for (;;) {
    const result = system.ioctl(fd, kvm.KVM_RUN, 0);
    if (result < 0 && result !== -EINTR && result !== -EAGAIN) {
      return failure(`KVM_RUN failed with errno ${-result}`);
    }
    if (result < 0) {
      onInterrupted(view);
      continue;
    }
    onExit();
    const reason = view.getUint32(kvm.kvm_run.exit_reason, true);
    switch (reason) {
      case kvm.KVM_EXIT_MMIO:
        serveMmio(view, bus);
        break;
      case kvm.KVM_EXIT_IO:
        if (servePort(view, bus)) return { reason: "reset" };
        break;
      case kvm.KVM_EXIT_INTR:
      case kvm.KVM_EXIT_HLT:
        break;
      case kvm.KVM_EXIT_SHUTDOWN:
        return { reason: "triple-fault" };
      default:
        return failure(describe(view, reason));
    }
  }
}

const failure = (message: string): VcpuEnd => ({ reason: "vmm-error", message });

/** The access is 1 to 8 bytes wide; the kernel has checked that. Its data lie in the shared page. */
function serveMmio(view: DataView, bus: Bus): void {
  const low = view.getUint32(kvm.kvm_run["mmio.phys_addr"], true);
  const address = low + view.getUint32(kvm.kvm_run["mmio.phys_addr"] + 4, true) * 2 ** 32;
  const length = view.getUint32(kvm.kvm_run["mmio.len"], true);
  const data = new Uint8Array(view.buffer, kvm.kvm_run["mmio.data"], length);
  if (view.getUint8(kvm.kvm_run["mmio.is_write"]) === 1) bus.writeMemory(address, data);
  else bus.readMemory(address, data);
}

/** Serves the accesses of one port instruction; true when one of them resets the machine. */
function servePort(view: DataView, bus: Bus): boolean {
  const size = view.getUint8(kvm.kvm_run["io.size"]);
  const port = view.getUint16(kvm.kvm_run["io.port"], true);
  const count = view.getUint32(kvm.kvm_run["io.count"], true);
  const offset = view.getUint32(kvm.kvm_run["io.data_offset"], true);
  const isRead = view.getUint8(kvm.kvm_run["io.direction"]) === kvm.KVM_EXIT_IO_IN;
  for (let index = 0; index < count; index++) {
    const data = new Uint8Array(view.buffer, offset + index * size, size);
    if (isRead) bus.readPort(port, data);
    else if (bus.writePort(port, data)) return true;
  }
  return false;
}

function describe(view: DataView, reason: number): string {
  const hardware = view.getBigUint64(kvm.kvm_run["hw.hardware_exit_reason"], true);
  switch (reason) {
    case kvm.KVM_EXIT_FAIL_ENTRY:
      return `the processor refused to enter the guest, reason 0x${hardware.toString(16)}`;
    case kvm.KVM_EXIT_INTERNAL_ERROR:
      return `KVM internal error, suberror ${view.getUint32(kvm.kvm_run["internal.suberror"], true)}`;
    case kvm.KVM_EXIT_SYSTEM_EVENT:
      return `unexpected system event ${view.getUint32(kvm.kvm_run["system_event.type"], true)}`;
    default:
      return `unexpected exit ${reason}, hardware reason 0x${hardware.toString(16)}`;
  }
}
