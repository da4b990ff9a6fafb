/** Reads the PVH entry of a kernel: the ELF note that tells a VMM where to start it (Xen docs/misc/pvh.pandoc). */

/** xen/include/public/elfnote.h: the 32-bit physical entry address. */
export const XEN_ELFNOTE_PHYS32_ENTRY = 18;

const PT_NOTE = 4;
const ELF64_LITTLE_ENDIAN = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);

/** Finds the physical entry address in a vmlinux; undefined if it is no 64-bit ELF file or has no such note. */
export function findPvhEntry(image: Buffer): number | undefined {
  if (image.length < 64 || !image.subarray(0, 6).equals(ELF64_LITTLE_ENDIAN)) return undefined;
  const { tableOffset, entrySize, count } = {
    tableOffset: Number(image.readBigUInt64LE(32)),
    entrySize: image.readUInt16LE(54),
    count: image.readUInt16LE(56),
  };
  for (let index = 0; index < count; index++) {
    const header = tableOffset + index * entrySize;
    if (header + 56 > image.length) return undefined;
    if (image.readUInt32LE(header) !== PT_NOTE) continue;
    const start = Number(image.readBigUInt64LE(header + 8));
    const length = Number(image.readBigUInt64LE(header + 32));
    const entry = findInNotes(image.subarray(start, start + length));
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** Walks Elf64_Nhdr records: name size, description size, type, then both padded to 4 bytes. */
function findInNotes(notes: Buffer): number | undefined {
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameSize = notes.readUInt32LE(at);
    const descriptionSize = notes.readUInt32LE(at + 4);
    const type = notes.readUInt32LE(at + 8);
    const description = at + 12 + align4(nameSize);
    const name = notes.toString("latin1", at + 12, at + 12 + nameSize);
    if (type === XEN_ELFNOTE_PHYS32_ENTRY && name === "Xen\0" && description + 4 <= notes.length) {
      return notes.readUInt32LE(description);
    }
    at = description + align4(descriptionSize);
  }
  return undefined;
}

function align4(size: number): number {
  return Math.ceil(size / 4) * 4;
}
