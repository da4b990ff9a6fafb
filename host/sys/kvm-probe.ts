/**
 * Runs a short guest under KVM and times it: what `host/vmm/probe.ts` decides on.
 *
 * The guest is in long mode, ring 0, as a kernel is: a loop of plain integer instructions, then FXSAVE64, FXRSTOR64
 * and, where KVM offers it, XRSTOR64, as Linux runs them before its first program. A KVM that interprets ring 0 shows in the
 * time, or fails at the last of them.
 */

import { FileDescriptor } from "./file-descriptor.ts";
import { type IoctlCall, ioctl, ioctlBuffer } from "./ioctl-call.ts";
import * as kvm from "./kvm.ts";
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MemoryMapping,
  PROT_READ,
  PROT_WRITE,
} from "./memory-mapping.ts";
import { SystemError } from "./system-error.ts";

/** What the child found. */
export type KvmMeasurement =
  | { readonly kind: "error"; readonly call: string; readonly errno: string }
  | { readonly kind: "version"; readonly version: number }
  /** the guest ended otherwise than by its HLT */
  | { readonly kind: "exit"; readonly reason: number; readonly detail: number }
  /** shortest of several runs of the guest, in `nanoseconds` */
  | { readonly kind: "ran"; readonly nanoseconds: number };

/** Guest instructions in the loop. */
const LOOP_INSTRUCTIONS = 20_000;
const RUNS = 3;

// Guest physical layout: page tables, then code, then the two save areas.
const PML4 = 0x1000;
const PDPT = 0x2000;
const PD = 0x3000;
const CODE = 0x4000;
const FXSAVE_AREA = 0x5000;
const XSAVE_AREA = 0x6000;
const MEMORY = 0x8000;

/** Entries of KVM_GET_SUPPORTED_CPUID at most; KVM_MAX_CPUID_ENTRIES, arch/x86/include/asm/kvm_host.h. */
const CPUID_ENTRIES = 256;
/** CPUID.1:ECX.XSAVE */
const CPUID_XSAVE = 1 << 26;

/** Opens the device and runs the guest on it. */
export function measureKvm(device: string): KvmMeasurement {
  try {
    return run(device);
  } catch (error) {
    if (error instanceof SystemError) {
      return { kind: "error", call: error.call, errno: error.code };
    }
    throw error;
  }
}

function run(device: string): KvmMeasurement {
  using system = FileDescriptor.open(device, 2);
  const version = ioctl(request(system, "KVM_GET_API_VERSION"));
  if (version !== kvm.KVM_API_VERSION) return { kind: "version", version };

  using machine = new FileDescriptor(ioctl(request(system, "KVM_CREATE_VM")));
  using memory = new MemoryMapping({
    length: MEMORY,
    protection: PROT_READ | PROT_WRITE,
    flags: MAP_PRIVATE | MAP_ANONYMOUS,
  });
  addMemory(machine, memory);

  using vcpu = new FileDescriptor(ioctl(request(machine, "KVM_CREATE_VCPU")));
  const xsave = copyCpuid(system, vcpu);
  loadGuest(memory, xsave);
  enterLongMode(vcpu, xsave);

  using shared = new MemoryMapping({
    length: ioctl(request(system, "KVM_GET_VCPU_MMAP_SIZE")),
    protection: PROT_READ | PROT_WRITE,
    flags: MAP_SHARED,
    fd: vcpu.number,
  });
  return fastestRun(vcpu, new DataView(shared.bytes));
}

function fastestRun(vcpu: FileDescriptor, shared: DataView): KvmMeasurement {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    const registers = structure(kvm.kvm_regs.size);
    registers.setBigUint64(kvm.kvm_regs.rip, BigInt(CODE), true);
    // Bit 1 of RFLAGS always reads as one.
    registers.setBigUint64(kvm.kvm_regs.rflags, 2n, true);
    ioctlBuffer(request(vcpu, "KVM_SET_REGS"), bytes(registers));

    const start = process.hrtime.bigint();
    ioctl(request(vcpu, "KVM_RUN"));
    best = Math.min(best, Number(process.hrtime.bigint() - start));

    const reason = shared.getUint32(kvm.kvm_run.exit_reason, true);
    if (reason !== kvm.KVM_EXIT_HLT) {
      return { kind: "exit", reason, detail: shared.getUint32(kvm.kvm_run.exit, true) };
    }
  }
  return { kind: "ran", nanoseconds: best };
}

function addMemory(machine: FileDescriptor, memory: MemoryMapping): void {
  const layout = kvm.kvm_userspace_memory_region;
  const region = structure(layout.size);
  region.setBigUint64(layout.memory_size, BigInt(memory.length), true);
  region.setBigUint64(layout.userspace_addr, memory.address, true);
  ioctlBuffer(request(machine, "KVM_SET_USER_MEMORY_REGION"), bytes(region));
}

/** Gives the vCPU all features that KVM supports, and tells whether XSAVE is one of them. */
function copyCpuid(system: FileDescriptor, vcpu: FileDescriptor): boolean {
  const entry = kvm.kvm_cpuid_entry2;
  const list = structure(kvm.kvm_cpuid2.entries + CPUID_ENTRIES * entry.size);
  list.setUint32(kvm.kvm_cpuid2.nent, CPUID_ENTRIES, true);
  ioctlBuffer(request(system, "KVM_GET_SUPPORTED_CPUID"), bytes(list));
  ioctlBuffer(request(vcpu, "KVM_SET_CPUID2"), bytes(list));

  const count = list.getUint32(kvm.kvm_cpuid2.nent, true);
  for (let i = 0; i < count; i++) {
    const start = kvm.kvm_cpuid2.entries + i * entry.size;
    if (list.getUint32(start + entry.function, true) !== 1) continue;
    return (list.getUint32(start + entry.ecx, true) & CPUID_XSAVE) !== 0;
  }
  return false;
}

/** Identity-maps the first 2 MiB by one large page and writes the program. */
function loadGuest(memory: MemoryMapping, xsave: boolean): void {
  const view = new DataView(memory.bytes);
  view.setBigUint64(PML4, BigInt(PDPT | 0x3), true);
  view.setBigUint64(PDPT, BigInt(PD | 0x3), true);
  view.setBigUint64(PD, 0x83n, true);
  new Uint8Array(memory.bytes).set(program(xsave), CODE);
}

function program(xsave: boolean): number[] {
  const perRound = 5;
  return [
    ...[0xb9, ...littleEndian(LOOP_INSTRUCTIONS / perRound)], // mov ecx, rounds
    ...[0x48, 0x01, 0xc8], // again: add rax, rcx
    ...[0x48, 0x31, 0xc3], // xor rbx, rax
    ...[0x48, 0x8d, 0x34, 0x18], // lea rsi, [rax + rbx]
    ...[0xff, 0xc9], // dec ecx
    ...[0x75, 0xf2], // jnz again
    ...[0x48, 0x0f, 0xae, 0x04, 0x25, ...littleEndian(FXSAVE_AREA)], // fxsave64 [area]
    ...[0x48, 0x0f, 0xae, 0x0c, 0x25, ...littleEndian(FXSAVE_AREA)], // fxrstor64 [area]
    ...(xsave ? xrstor : []),
    0xf4, // hlt
  ];
}

/** Restores from an area of zeros, whose header says "initial state" for every component. */
const xrstor = [
  ...[0x31, 0xc9], // xor ecx, ecx
  ...[0x31, 0xd2], // xor edx, edx
  ...[0xb8, ...littleEndian(3)], // mov eax, x87 | SSE
  ...[0x0f, 0x01, 0xd1], // xsetbv
  ...[0x48, 0x0f, 0xae, 0x2c, 0x25, ...littleEndian(XSAVE_AREA)], // xrstor64 [area]
];

/** 64-bit mode, ring 0, flat segments. Bits: Intel SDM volume 3 §2.5 and §2.2.1. */
function enterLongMode(vcpu: FileDescriptor, xsave: boolean): void {
  const layout = kvm.kvm_sregs;
  const registers = structure(layout.size);
  ioctlBuffer(request(vcpu, "KVM_GET_SREGS"), bytes(registers));
  for (const offset of [layout.ds, layout.es, layout.fs, layout.gs, layout.ss]) {
    setFlatSegment(registers, offset, { selector: 0x10, type: 3, long: 0 });
  }
  setFlatSegment(registers, layout.cs, { selector: 0x8, type: 11, long: 1 });
  // PG, AM, WP, NE, ET, MP, PE
  registers.setBigUint64(layout.cr0, 0x80050033n, true);
  registers.setBigUint64(layout.cr3, BigInt(PML4), true);
  // PAE, OSFXSR, OSXMMEXCPT, and OSXSAVE
  registers.setBigUint64(layout.cr4, xsave ? 0x40620n : 0x620n, true);
  // LME, LMA
  registers.setBigUint64(layout.efer, 0x500n, true);
  ioctlBuffer(request(vcpu, "KVM_SET_SREGS"), bytes(registers));
}

interface FlatSegment {
  readonly selector: number;
  readonly type: number;
  readonly long: 0 | 1;
}

function setFlatSegment(registers: DataView, offset: number, segment: FlatSegment): void {
  const layout = kvm.kvm_segment;
  registers.setBigUint64(offset + layout.base, 0n, true);
  registers.setUint32(offset + layout.limit, 0xffffffff, true);
  registers.setUint16(offset + layout.selector, segment.selector, true);
  registers.setUint8(offset + layout.type, segment.type);
  registers.setUint8(offset + layout.present, 1);
  registers.setUint8(offset + layout.dpl, 0);
  registers.setUint8(offset + layout.db, segment.long === 1 ? 0 : 1);
  registers.setUint8(offset + layout.s, 1);
  registers.setUint8(offset + layout.l, segment.long);
  registers.setUint8(offset + layout.g, 1);
  registers.setUint8(offset + layout.unusable, 0);
}

const requests = {
  KVM_GET_API_VERSION: kvm.KVM_GET_API_VERSION,
  KVM_CREATE_VM: kvm.KVM_CREATE_VM,
  KVM_GET_VCPU_MMAP_SIZE: kvm.KVM_GET_VCPU_MMAP_SIZE,
  KVM_GET_SUPPORTED_CPUID: kvm.KVM_GET_SUPPORTED_CPUID,
  KVM_CREATE_VCPU: kvm.KVM_CREATE_VCPU,
  KVM_SET_USER_MEMORY_REGION: kvm.KVM_SET_USER_MEMORY_REGION,
  KVM_RUN: kvm.KVM_RUN,
  KVM_SET_REGS: kvm.KVM_SET_REGS,
  KVM_GET_SREGS: kvm.KVM_GET_SREGS,
  KVM_SET_SREGS: kvm.KVM_SET_SREGS,
  KVM_SET_CPUID2: kvm.KVM_SET_CPUID2,
} as const;

function request(descriptor: FileDescriptor, name: keyof typeof requests): IoctlCall {
  return { fd: descriptor.number, name, request: requests[name] };
}

function structure(size: number): DataView {
  return new DataView(new ArrayBuffer(size));
}

function bytes(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}

function littleEndian(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}
