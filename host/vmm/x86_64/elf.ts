/** The kernel image: an uncompressed ELF64 vmlinux with the PVH entry note (Xen's ELFNOTE_PHYS32_ENTRY). */

/** A run of the file that is loaded to a physical address. */
export interface Segment {
  /** guest physical address */
  readonly address: number;
  /** start in the file, in `bytes` */
  readonly offset: number;
  /** length in the file, in `bytes` */
  readonly fileSize: number;
  /** length in memory, in `bytes`; what the file does not fill is zero */
  readonly memorySize: number;
}

export interface KernelImage {
  readonly segments: readonly Segment[];
  /** physical address of the 32-bit PVH entry */
  readonly entry: number;
}

/** The kernel file is not one that PVH can boot. */
export class KernelImageError extends Error {
  override readonly name = "KernelImageError";
}

/** Reads `length` bytes at `offset` of the kernel file. @throws {KernelImageError} when it ends before */
export type ReadAt = (offset: number, length: number) => DataView;

// elf(5): magic, ELFCLASS64, ELFDATA2LSB, EM_X86_64, and the program header types.
const ELF_MAGIC = 0x464c457f;
const ELFCLASS64_LSB = 0x0102;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;
const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const XEN_ELFNOTE_PHYS32_ENTRY = 18;

const PROGRAM_HEADERS_LIMIT = 64;
const NOTES_LIMIT = 64 * 1024;

/**
 * Reads the headers and finds the entry.
 *
 * @throws {KernelImageError} when the file is no x86-64 ELF or holds no PVH note
 */
export function parseKernelImage(readAt: ReadAt): KernelImage {
  const header = readAt(0, EHDR_SIZE);
  if (header.getUint32(0, true) !== ELF_MAGIC) throw new KernelImageError("no ELF file");
  if (header.getUint16(4, true) !== ELFCLASS64_LSB || header.getUint16(18, true) !== EM_X86_64) {
    throw new KernelImageError("no 64-bit little-endian x86-64 ELF file");
  }
  const count = header.getUint16(56, true);
  if (header.getUint16(54, true) !== PHDR_SIZE || count > PROGRAM_HEADERS_LIMIT) {
    throw new KernelImageError(`unusable program header table of ${count} entries`);
  }
  const table = readAt(wide(header, 32), count * PHDR_SIZE);
  const segments: Segment[] = [];
  let entry: number | undefined;
  for (let at = 0; at < count * PHDR_SIZE; at += PHDR_SIZE) {
    const type = table.getUint32(at, true);
    const offset = wide(table, at + 8);
    const fileSize = wide(table, at + 32);
    if (type === PT_LOAD) {
      segments.push({
        address: wide(table, at + 24),
        offset,
        fileSize,
        memorySize: wide(table, at + 40),
      });
    } else if (type === PT_NOTE && fileSize <= NOTES_LIMIT) {
      entry ??= findEntry(readAt(offset, fileSize));
    }
  }
  if (entry === undefined) throw new KernelImageError("no PVH entry note: CONFIG_PVH is off");
  return { segments, entry };
}

/** Walks the notes: name size, descriptor size, type, then name and descriptor, each padded to 4 bytes. */
function findEntry(notes: DataView): number | undefined {
  let at = 0;
  while (at + 12 <= notes.byteLength) {
    const nameSize = notes.getUint32(at, true);
    const descriptorSize = notes.getUint32(at + 4, true);
    const type = notes.getUint32(at + 8, true);
    const descriptor = at + 12 + padded(nameSize);
    const end = descriptor + padded(descriptorSize);
    if (end > notes.byteLength) return undefined;
    const isXen = nameSize === 4 && notes.getUint32(at + 12, true) === 0x006e6558;
    if (isXen && type === XEN_ELFNOTE_PHYS32_ENTRY && descriptorSize >= 4) {
      return notes.getUint32(descriptor, true);
    }
    at = end;
  }
  return undefined;
}

const padded = (size: number): number => Math.ceil(size / 4) * 4;

const wide = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
