/** Every guest physical address of the machine, each derived from its neighbour; nothing else invents one. */

import type { MemoryRange } from "../memory/guest-memory.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** GDT that the PVH entry state refers to: null, code, data, task */
export const GDT_ADDRESS = 0x500;
/** struct hvm_start_info, its module list and its memory map, a page in all */
export const START_INFO_ADDRESS = 0x6000;
export const START_INFO_END = 0x7000;
/** kernel command line, NUL-terminated */
export const COMMAND_LINE_ADDRESS = 0x20000;
/** longest command line that Linux reads, with its NUL, in `bytes`; COMMAND_LINE_SIZE of asm/setup.h */
export const COMMAND_LINE_LIMIT = 2048;

/** end of conventional memory; Linux searches the KiB after it for the MP table */
export const CONVENTIONAL_MEMORY_END = 639 * KIB;
export const MP_TABLE_LIMIT = KIB;
export const MP_TABLE_ADDRESS = 640 * KIB - MP_TABLE_LIMIT;

/** start of the memory above the legacy area, where the kernel is linked to */
export const HIGH_MEMORY_START = MIB;

/** the gap in the memory below 4 GiB, for devices */
export const HOLE_START = 3 * GIB;
export const HOLE_END = 4 * GIB;

/** the first virtio-mmio device; the others follow, a page each */
export const VIRTIO_MMIO_START = HOLE_START + 256 * MIB;
export const VIRTIO_MMIO_STRIDE = 0x1000;

export const IO_APIC_ADDRESS = 0xfec00000;
export const LOCAL_APIC_ADDRESS = 0xfee00000;
/** three pages that KVM keeps for real mode on Intel, and one for its identity map, below the BIOS area */
export const TSS_ADDRESS = 0xfffbd000;
export const IDENTITY_MAP_ADDRESS = TSS_ADDRESS - 0x1000;

/** the first interrupt line of a virtio device; 0 to 4 belong to timer, cascade and serial ports */
export const VIRTIO_FIRST_IRQ = 5;
/** lines of the one I/O APIC */
export const IO_APIC_PINS = 24;
/** how many virtio devices a machine can have */
export const VIRTIO_DEVICES_LIMIT = IO_APIC_PINS - VIRTIO_FIRST_IRQ;

/** Where `mebibytes` of guest memory lie: below the hole and, what does not fit there, above it. */
export function memoryRanges(mebibytes: number): readonly MemoryRange[] {
  const bytes = mebibytes * MIB;
  if (bytes <= HOLE_START) return [{ start: 0, length: bytes }];
  return [
    { start: 0, length: HOLE_START },
    { start: HOLE_END, length: bytes - HOLE_START },
  ];
}
