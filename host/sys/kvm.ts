/**
 * The KVM interface of the kernel: request numbers, constants and structure layouts.
 *
 * Names and values are those of linux/kvm.h and asm/kvm.h (Linux 6.1, x86-64). A layout is the offset
 * of each field that is used, in `bytes`, and the `size` of the whole; the test beside this file checks
 * all of them against a C compiler. Nothing here calls anything.
 */

import { _IO, _IOR, _IOW, _IOWR } from "./ioctl.ts";

/** struct kvm_userspace_memory_region, linux/kvm.h */
export const kvm_userspace_memory_region = {
  size: 32,
  slot: 0,
  flags: 4,
  guest_phys_addr: 8,
  memory_size: 16,
  userspace_addr: 24,
} as const;

/** struct kvm_run, linux/kvm.h: the page that a vCPU shares with the thread that runs it */
export const kvm_run = {
  size: 2352,
  request_interrupt_window: 0,
  immediate_exit: 1,
  if_flag: 13,
  exit_reason: 8,
  /** start of the union of exit structures */
  exit: 32,
  "hw.hardware_exit_reason": 32,
  "fail_entry.hardware_entry_failure_reason": 32,
  "io.direction": 32,
  "io.size": 33,
  "io.port": 34,
  "io.count": 36,
  "io.data_offset": 40,
  "mmio.phys_addr": 32,
  "mmio.data": 40,
  "mmio.len": 48,
  "mmio.is_write": 52,
  "internal.suberror": 32,
  "system_event.type": 32,
} as const;

/** struct kvm_regs, asm/kvm.h */
export const kvm_regs = {
  size: 144,
  rax: 0,
  rbx: 8,
  rcx: 16,
  rdx: 24,
  rsi: 32,
  rdi: 40,
  rsp: 48,
  rbp: 56,
  rip: 128,
  rflags: 136,
} as const;

/** struct kvm_segment, asm/kvm.h */
export const kvm_segment = {
  size: 24,
  base: 0,
  limit: 8,
  selector: 12,
  type: 14,
  present: 15,
  dpl: 16,
  db: 17,
  s: 18,
  l: 19,
  g: 20,
  avl: 21,
  unusable: 22,
} as const;

/** struct kvm_sregs, asm/kvm.h */
export const kvm_sregs = {
  size: 312,
  cs: 0,
  ds: 24,
  es: 48,
  fs: 72,
  gs: 96,
  ss: 120,
  tr: 144,
  ldt: 168,
  gdt: 192,
  idt: 208,
  cr0: 224,
  cr2: 232,
  cr3: 240,
  cr4: 248,
  cr8: 256,
  efer: 264,
  apic_base: 272,
} as const;

/** struct kvm_cpuid2, asm/kvm.h; its entries follow */
export const kvm_cpuid2 = { size: 8, nent: 0, entries: 8 } as const;

/** struct kvm_cpuid_entry2, asm/kvm.h */
export const kvm_cpuid_entry2 = {
  size: 40,
  function: 0,
  index: 4,
  flags: 8,
  eax: 12,
  ebx: 16,
  ecx: 20,
  edx: 24,
} as const;

/** struct kvm_msrs, asm/kvm.h; its entries follow */
export const kvm_msrs = { size: 8, nmsrs: 0, entries: 8 } as const;

/** struct kvm_msr_entry, asm/kvm.h */
export const kvm_msr_entry = { size: 16, index: 0, data: 8 } as const;

/** struct kvm_xcrs, asm/kvm.h, with the first of its registers */
export const kvm_xcrs = { size: 392, nr_xcrs: 0, "xcrs[0].xcr": 8, "xcrs[0].value": 16 } as const;

/** struct kvm_pit_config, linux/kvm.h */
export const kvm_pit_config = { size: 64, flags: 0 } as const;

/** struct kvm_irqfd, linux/kvm.h */
export const kvm_irqfd = { size: 32, fd: 0, gsi: 4, flags: 8 } as const;

/** struct kvm_ioeventfd, linux/kvm.h */
export const kvm_ioeventfd = {
  size: 64,
  datamatch: 0,
  addr: 8,
  len: 16,
  fd: 20,
  flags: 24,
} as const;

// What KVM gives and takes whole when a machine is saved and restored: sizes alone, the content is the kernel's.

/** struct kvm_irqchip, linux/kvm.h */
export const kvm_irqchip = { size: 520, chip_id: 0 } as const;
/** struct kvm_pit_state2, asm/kvm.h */
export const kvm_pit_state2 = { size: 112 } as const;
/** struct kvm_clock_data, linux/kvm.h */
export const kvm_clock_data = { size: 48, clock: 0, flags: 8 } as const;
/** struct kvm_mp_state, linux/kvm.h */
export const kvm_mp_state = { size: 4, mp_state: 0 } as const;
/** struct kvm_lapic_state, asm/kvm.h */
export const kvm_lapic_state = { size: 1024 } as const;
/** struct kvm_xsave, asm/kvm.h, without what KVM_CAP_XSAVE2 adds */
export const kvm_xsave = { size: 4096 } as const;
/** struct kvm_debugregs, asm/kvm.h */
export const kvm_debugregs = { size: 128 } as const;
/** struct kvm_vcpu_events, asm/kvm.h */
export const kvm_vcpu_events = { size: 64 } as const;
/** struct kvm_msr_list, asm/kvm.h; its indices follow */
export const kvm_msr_list = { size: 4, nmsrs: 0, indices: 4 } as const;

/** struct kvm_stats_header, linux/kvm.h */
export const kvm_stats_header = {
  size: 24,
  flags: 0,
  name_size: 4,
  num_desc: 8,
  id_offset: 12,
  desc_offset: 16,
  data_offset: 20,
} as const;

/** struct kvm_stats_desc, linux/kvm.h; its name follows; `size` is that of the part before the name */
export const kvm_stats_desc = {
  size: 16,
  flags: 0,
  exponent: 4,
  offset: 8,
  bucket_size: 12,
} as const;

/** ioctl type of all KVM requests */
const KVMIO = 0xae;

// On the KVM device.
export const KVM_GET_API_VERSION = _IO(KVMIO, 0x00);
export const KVM_CREATE_VM = _IO(KVMIO, 0x01);
export const KVM_GET_MSR_INDEX_LIST = _IOWR(KVMIO, 0x02, kvm_msr_list.size);
export const KVM_CHECK_EXTENSION = _IO(KVMIO, 0x03);
export const KVM_GET_VCPU_MMAP_SIZE = _IO(KVMIO, 0x04);
export const KVM_GET_SUPPORTED_CPUID = _IOWR(KVMIO, 0x05, kvm_cpuid2.size);

// On a virtual machine.
export const KVM_CREATE_VCPU = _IO(KVMIO, 0x41);
export const KVM_SET_USER_MEMORY_REGION = _IOW(KVMIO, 0x46, kvm_userspace_memory_region.size);
export const KVM_SET_TSS_ADDR = _IO(KVMIO, 0x47);
export const KVM_SET_IDENTITY_MAP_ADDR = _IOW(KVMIO, 0x48, 8);
export const KVM_CREATE_IRQCHIP = _IO(KVMIO, 0x60);
export const KVM_GET_IRQCHIP = _IOWR(KVMIO, 0x62, kvm_irqchip.size);
export const KVM_SET_IRQCHIP = _IOR(KVMIO, 0x63, kvm_irqchip.size);
export const KVM_IRQFD = _IOW(KVMIO, 0x76, kvm_irqfd.size);
export const KVM_CREATE_PIT2 = _IOW(KVMIO, 0x77, kvm_pit_config.size);
export const KVM_IOEVENTFD = _IOW(KVMIO, 0x79, kvm_ioeventfd.size);
export const KVM_SET_CLOCK = _IOW(KVMIO, 0x7b, kvm_clock_data.size);
export const KVM_GET_CLOCK = _IOR(KVMIO, 0x7c, kvm_clock_data.size);
export const KVM_GET_PIT2 = _IOR(KVMIO, 0x9f, kvm_pit_state2.size);
export const KVM_SET_PIT2 = _IOW(KVMIO, 0xa0, kvm_pit_state2.size);
export const KVM_GET_STATS_FD = _IO(KVMIO, 0xce);

// On a vCPU.
export const KVM_RUN = _IO(KVMIO, 0x80);
export const KVM_GET_REGS = _IOR(KVMIO, 0x81, kvm_regs.size);
export const KVM_SET_REGS = _IOW(KVMIO, 0x82, kvm_regs.size);
export const KVM_GET_SREGS = _IOR(KVMIO, 0x83, kvm_sregs.size);
export const KVM_SET_SREGS = _IOW(KVMIO, 0x84, kvm_sregs.size);
export const KVM_GET_MSRS = _IOWR(KVMIO, 0x88, kvm_msrs.size);
export const KVM_SET_MSRS = _IOW(KVMIO, 0x89, kvm_msrs.size);
export const KVM_GET_LAPIC = _IOR(KVMIO, 0x8e, kvm_lapic_state.size);
export const KVM_SET_LAPIC = _IOW(KVMIO, 0x8f, kvm_lapic_state.size);
export const KVM_SET_CPUID2 = _IOW(KVMIO, 0x90, kvm_cpuid2.size);
export const KVM_GET_MP_STATE = _IOR(KVMIO, 0x98, kvm_mp_state.size);
export const KVM_SET_MP_STATE = _IOW(KVMIO, 0x99, kvm_mp_state.size);
export const KVM_GET_VCPU_EVENTS = _IOR(KVMIO, 0x9f, kvm_vcpu_events.size);
export const KVM_SET_VCPU_EVENTS = _IOW(KVMIO, 0xa0, kvm_vcpu_events.size);
export const KVM_GET_DEBUGREGS = _IOR(KVMIO, 0xa1, kvm_debugregs.size);
export const KVM_SET_DEBUGREGS = _IOW(KVMIO, 0xa2, kvm_debugregs.size);
export const KVM_GET_XSAVE = _IOR(KVMIO, 0xa4, kvm_xsave.size);
export const KVM_SET_XSAVE = _IOW(KVMIO, 0xa5, kvm_xsave.size);
export const KVM_GET_XCRS = _IOR(KVMIO, 0xa6, kvm_xcrs.size);
export const KVM_SET_XCRS = _IOW(KVMIO, 0xa7, kvm_xcrs.size);
export const KVM_GET_XSAVE2 = _IOR(KVMIO, 0xcf, kvm_xsave.size);

/** The only version of the interface since Linux 2.6.22. */
export const KVM_API_VERSION = 12;

export const KVM_CAP_IRQCHIP = 0;
export const KVM_CAP_NR_VCPUS = 9;
export const KVM_CAP_IRQFD = 32;
export const KVM_CAP_PIT2 = 33;
export const KVM_CAP_IOEVENTFD = 36;
export const KVM_CAP_TSC_DEADLINE_TIMER = 72;
export const KVM_CAP_XSAVE2 = 208;

export const KVM_EXIT_IO = 2;
export const KVM_EXIT_HLT = 5;
export const KVM_EXIT_MMIO = 6;
export const KVM_EXIT_SHUTDOWN = 8;
export const KVM_EXIT_FAIL_ENTRY = 9;
export const KVM_EXIT_INTR = 10;
export const KVM_EXIT_INTERNAL_ERROR = 17;
export const KVM_EXIT_SYSTEM_EVENT = 24;

export const KVM_EXIT_IO_IN = 0;
export const KVM_EXIT_IO_OUT = 1;

// Flags of a statistics descriptor: how its values run.
export const KVM_STATS_TYPE_MASK = 0xf;
export const KVM_STATS_TYPE_CUMULATIVE = 0;

export const KVM_CPUID_FLAG_SIGNIFCANT_INDEX = 1;

export const KVM_IRQCHIP_PIC_MASTER = 0;
export const KVM_IRQCHIP_PIC_SLAVE = 1;
export const KVM_IRQCHIP_IOAPIC = 2;

export const KVM_MP_STATE_RUNNABLE = 0;
export const KVM_MP_STATE_HALTED = 3;
