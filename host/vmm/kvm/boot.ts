/** Loads the guest: kernel, initramfs, command line, boot record and tables, straight from files into memory. */

import type { GuestMemory, MemoryRange } from "../memory/guest-memory.ts";
import { IoVector } from "../memory/io-vector.ts";
import { KernelImageError, parseKernelImage, type Segment } from "../x86_64/elf.ts";
import {
  COMMAND_LINE_ADDRESS,
  COMMAND_LINE_LIMIT,
  GDT_ADDRESS,
  HIGH_MEMORY_START,
  MP_TABLE_ADDRESS,
  START_INFO_ADDRESS,
} from "../x86_64/layout.ts";
import { encodeMpTable } from "../x86_64/mp-table.ts";
import { encodeStartInfo } from "../x86_64/pvh.ts";
import { encodeGdt } from "../x86_64/registers.ts";
import { check, type System } from "./system.ts";

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
  const image = parseKernelImage(fileReader(system, kernel));
  for (const segment of image.segments) loadSegment(system, { memory, kernel, segment });
  const archive = loadInitramfs(system, memory, initramfs);
  memory.write(COMMAND_LINE_ADDRESS, encodeCommandLine(commandLine));
  memory.write(GDT_ADDRESS, encodeGdt());
  memory.write(MP_TABLE_ADDRESS, encodeMpTable(vcpus));
  memory.write(START_INFO_ADDRESS, encodeStartInfo(memory.regions, archive));
  return image.entry;
}

const HEADERS_LIMIT = 64 * 1024;

function fileReader(system: System, fd: number): (offset: number, length: number) => DataView {
  const { address, bytes } = system.map(HEADERS_LIMIT);
  const vector = new IoVector(system);
  return (offset, length) => {
    vector.clear();
    vector.add(address, Math.min(length, HEADERS_LIMIT));
    const read = check("preadv", system.preadv(fd, vector.address, 1, offset));
    return new DataView(bytes.slice(0, read));
  };
}

function loadSegment(
  system: System,
  { memory, kernel, segment }: { memory: GuestMemory; kernel: number; segment: Segment },
): void {
  if (segment.address < HIGH_MEMORY_START) {
    throw new KernelImageError(`kernel segment at 0x${segment.address.toString(16)}`);
  }
  memory.locate(segment.address, segment.memorySize); // what the file does not fill is zero already
  readFile(system, {
    memory,
    fd: kernel,
    offset: segment.offset,
    address: segment.address,
    length: segment.fileSize,
  });
}

/** As high as it fits below the hole, page-aligned, so that it is in no one's way. */
function loadInitramfs(system: System, memory: GuestMemory, fd: number): MemoryRange {
  const length = check("lseek", system.fileSize(fd));
  const [low] = memory.regions;
  const end = low === undefined ? 0 : low.length;
  const start = Math.floor((end - length) / PAGE_SIZE) * PAGE_SIZE;
  if (start < HIGH_MEMORY_START) {
    throw new KernelImageError(`initramfs of ${length} bytes does not fit the guest's memory`);
  }
  readFile(system, { memory, fd, offset: 0, address: start, length });
  return { start, length };
}

function readFile(
  system: System,
  {
    memory,
    fd,
    offset,
    address,
    length,
  }: { memory: GuestMemory; fd: number; offset: number; address: number; length: number },
): void {
  const vector = new IoVector(system);
  let done = 0;
  while (done < length) {
    vector.clear();
    vector.add(memory.hostAddress(address + done, length - done), length - done);
    const read = check("preadv", system.preadv(fd, vector.address, 1, offset + done));
    if (read === 0) throw new KernelImageError(`file ends ${length - done} bytes early`);
    done += read;
  }
}

function encodeCommandLine(text: string): Uint8Array {
  if (text.length >= COMMAND_LINE_LIMIT) {
    throw new KernelImageError(
      `kernel command line of ${text.length} bytes, at most ${COMMAND_LINE_LIMIT - 1}`,
    );
  }
  return Uint8Array.from(`${text}\0`, (letter) => letter.charCodeAt(0));
}
