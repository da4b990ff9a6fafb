/** The PVH boot record: what the kernel finds through EBX (xen/interface/hvm/start_info.h, version 1). */

import type { MemoryRange } from "../memory/guest-memory.ts";
import * as layout from "./layout.ts";

const XEN_HVM_START_MAGIC_VALUE = 0x336ec578;
const XEN_HVM_MEMMAP_TYPE_RAM = 1;
const XEN_HVM_MEMMAP_TYPE_RESERVED = 2;

const START_INFO_SIZE = 56;
const MODULE_SIZE = 32;
const MEMMAP_ENTRY_SIZE = 24;

const MODULES_OFFSET = START_INFO_SIZE;
const MEMMAP_OFFSET = MODULES_OFFSET + MODULE_SIZE;

/** Encodes the record for `layout.START_INFO_ADDRESS`: struct hvm_start_info, one module, the memory map. */
export function encodeStartInfo(
  memory: readonly MemoryRange[],
  initramfs: MemoryRange,
): Uint8Array<ArrayBuffer> {
  const map = memoryMap(memory);
  const record = new Uint8Array(MEMMAP_OFFSET + map.length * MEMMAP_ENTRY_SIZE);
  const view = new DataView(record.buffer);
  view.setUint32(0, XEN_HVM_START_MAGIC_VALUE, true);
  view.setUint32(4, 1, true); // version 1: with a memory map
  view.setUint32(12, initramfs.length > 0 ? 1 : 0, true);
  setWide(view, 16, layout.START_INFO_ADDRESS + MODULES_OFFSET);
  setWide(view, 24, layout.COMMAND_LINE_ADDRESS);
  setWide(view, 40, layout.START_INFO_ADDRESS + MEMMAP_OFFSET);
  view.setUint32(48, map.length, true);
  setWide(view, MODULES_OFFSET, initramfs.start);
  setWide(view, MODULES_OFFSET + 8, initramfs.length);
  for (const [index, { start, length, type }] of map.entries()) {
    const at = MEMMAP_OFFSET + index * MEMMAP_ENTRY_SIZE;
    setWide(view, at, start);
    setWide(view, at + 8, length);
    view.setUint32(at + 16, type, true);
  }
  return record;
}

/** The regions, with the legacy area between conventional memory and the first MiB taken out of the first. */
function memoryMap(memory: readonly MemoryRange[]): (MemoryRange & { readonly type: number })[] {
  const [low, ...high] = memory;
  if (low === undefined) return [];
  const ram = (range: MemoryRange) => ({ ...range, type: XEN_HVM_MEMMAP_TYPE_RAM });
  const [end, start] = [layout.CONVENTIONAL_MEMORY_END, layout.HIGH_MEMORY_START];
  return [
    ram({ start: 0, length: end }),
    { start: end, length: start - end, type: XEN_HVM_MEMMAP_TYPE_RESERVED },
    ram({ start, length: low.length - start }),
    ...high.map(ram),
  ];
}

function setWide(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
