/** Loads the guest: kernel, initramfs, command line, boot record and tables, straight from files into memory. */

import { type GuestMemory, MADV_POPULATE_READ, type MemoryRange } from "../memory/guest-memory.ts";
import { KernelImageError, parseKernelImage, type Segment } from "../x86_64/elf.ts";
import * as layout from "../x86_64/layout.ts";
import { encodeMpTable } from "../x86_64/mp-table.ts";
import { encodeStartInfo } from "../x86_64/pvh.ts";
import { encodeGdt } from "../x86_64/registers.ts";
import { check, type HostAddress, type System } from "./system.ts";

const PAGE_SIZE = 4096;

export interface BootOptions {
  readonly memory: GuestMemory;
  /** descriptor of the vmlinux */
  readonly kernel: number;
  /** descriptor of the initramfs; an empty file is none */
  readonly initramfs: number;
  readonly commandLine: string;
  readonly vcpus: number;
}

/**
 * Puts everything where the kernel looks for it.
 *
 * @returns the physical address of the first instruction
 * @throws {KernelImageError} when the kernel or its command line cannot be booted
 */
export function loadGuest(system: System, options: BootOptions): number {
  const { memory, kernel, initramfs, commandLine, vcpus } = options;
  const file = new ImageFile(system, kernel);
  const image = parseKernelImage((offset, length) => file.view(offset, length));
  for (const segment of image.segments) loadSegment(memory, file, segment);
  const kernelEnd = Math.max(...image.segments.map((one) => one.address + one.memorySize));
  const archive = loadInitramfs(memory, new ImageFile(system, initramfs), kernelEnd);
  memory.write(layout.COMMAND_LINE_ADDRESS, encodeCommandLine(commandLine));
  memory.write(layout.GDT_ADDRESS, encodeGdt());
  memory.write(layout.MP_TABLE_ADDRESS, encodeMpTable(vcpus));
  memory.write(layout.START_INFO_ADDRESS, encodeStartInfo(memory.regions, archive));
  return image.entry;
}

/** A file that is mapped, to be copied out of the page cache: cheaper than read(2), which copies byte by byte. */
class ImageFile {
  readonly length: number;
  readonly #system: System;
  readonly #address: HostAddress;

  constructor(system: System, fd: number) {
    this.#system = system;
    this.length = check("lseek", system.fileSize(fd));
    if (this.length === 0) this.#address = 0 as HostAddress;
    else this.#address = system.map(this.length, { fd, shared: false }).address;
    system.madvise(this.#address, this.length, MADV_POPULATE_READ);
  }

  view(offset: number, length: number): DataView {
    if (length === 0) return new DataView(new ArrayBuffer());
    return new DataView(this.#system.view(this.#find(offset, length), length).buffer);
  }

  /** Copies a part to a guest address. */
  load(memory: GuestMemory, address: number, part: { offset: number; length: number }): void {
    const { offset, length } = part;
    if (length === 0) return;
    this.#system.copy(memory.hostAddress(address, length), this.#find(offset, length), length);
  }

  #find(offset: number, length: number): HostAddress {
    if (offset + length <= this.length) return (this.#address + offset) as HostAddress;
    throw new KernelImageError(`file ends before byte ${offset + length}`);
  }
}

function loadSegment(memory: GuestMemory, file: ImageFile, segment: Segment): void {
  const { address, offset, fileSize } = segment;
  if (address < layout.HIGH_MEMORY_START) {
    throw new KernelImageError(`kernel segment at 0x${address.toString(16)}`);
  }
  memory.locate(address, segment.memorySize); // what the file does not fill is zero already
  file.load(memory, address, { offset, length: fileSize });
}

/** Right behind the kernel: the page that is cleared for its end, which may be a huge one, serves for both. */
function loadInitramfs(memory: GuestMemory, file: ImageFile, kernelEnd: number): MemoryRange {
  const { length } = file;
  const start = Math.ceil(kernelEnd / PAGE_SIZE) * PAGE_SIZE;
  const [low] = memory.regions;
  if (low === undefined || start + length > low.length) {
    throw new KernelImageError(`initramfs of ${length} bytes does not fit the guest's memory`);
  }
  file.load(memory, start, { offset: 0, length });
  return { start, length };
}

function encodeCommandLine(text: string): Uint8Array {
  if (text.length >= layout.COMMAND_LINE_LIMIT) {
    throw new KernelImageError(
      `kernel command line of ${text.length} bytes, at most ${layout.COMMAND_LINE_LIMIT - 1}`,
    );
  }
  return Uint8Array.from(`${text}\0`, (letter) => letter.charCodeAt(0));
}
