/** The image of the container that a machine runs once before it is anybody's: a root with one program, which ends. */

import { createHash } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Layer } from "../../rootfs/entry.ts";
import type { Extent } from "../../rootfs/extent.ts";
import { makeRootDisk } from "../../rootfs/root-disk.ts";

/** Path of the program in the image. */
export const WARM_UP_PROGRAM = "/run";

/** Where the program's only segment is in memory: the usual place of x86-64 executables. */
const BASE = 0x400000;
/** Sizes of the ELF header and of a program header (System V gABI, 64-bit objects), in `bytes`. */
const [EHDR, PHDR] = [64, 56];
/** Layer data comes in blocks of this many `bytes`. */
const BLOCK = 4096;

/** exit(0): `mov $60, %eax; xor %edi, %edi; syscall`. */
const CODE = [0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05];

/** Makes it in `folder` unless it is there. @returns its root disk */
export async function warmUpImage(folder: string): Promise<readonly Extent[]> {
  const program = exitProgram();
  const data = Buffer.concat([program, Buffer.alloc(BLOCK - program.length)]);
  const digest = createHash("sha256").update(data).digest("hex");
  const dataPath = join(folder, "warm-up-data");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${dataPath}.${process.pid}`;
  await writeFile(draft, data, { mode: 0o600 });
  await rename(draft, dataPath);
  const layer: Layer = {
    diffId: `sha256:${digest}`,
    dataPath,
    dataLength: data.length,
    entries: [
      {
        path: WARM_UP_PROGRAM.slice(1),
        type: "file",
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtimeNanoseconds: 0,
        xattrs: new Map(),
        size: program.length,
        data: [{ fileOffset: 0, dataOffset: 0, length: program.length }],
      },
    ],
  };
  const directory = join(folder, "warm-up-disk");
  return (await makeRootDisk({ layers: [layer], directory, mountPoints: true })).extents;
}

/** A static executable (System V gABI chapters 4 and 5; x86-64 psABI). */
export function exitProgram(): Buffer {
  const size = EHDR + PHDR + CODE.length;
  const file = Buffer.alloc(size);
  // ELFCLASS64, ELFDATA2LSB, EV_CURRENT
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(62, 18); // EM_X86_64
  file.writeUInt32LE(1, 20); // EV_CURRENT
  file.writeBigUInt64LE(BigInt(BASE + EHDR + PHDR), 24); // e_entry
  file.writeBigUInt64LE(BigInt(EHDR), 32); // e_phoff
  file.writeUInt16LE(EHDR, 52); // e_ehsize
  file.writeUInt16LE(PHDR, 54); // e_phentsize
  file.writeUInt16LE(1, 56); // e_phnum
  file.writeUInt32LE(1, EHDR); // PT_LOAD
  file.writeUInt32LE(5, EHDR + 4); // PF_R | PF_X
  file.writeBigUInt64LE(BigInt(BASE), EHDR + 16); // p_vaddr
  file.writeBigUInt64LE(BigInt(BASE), EHDR + 24); // p_paddr
  file.writeBigUInt64LE(BigInt(size), EHDR + 32); // p_filesz
  file.writeBigUInt64LE(BigInt(size), EHDR + 40); // p_memsz
  file.writeBigUInt64LE(BigInt(BLOCK), EHDR + 48); // p_align
  file.set(CODE, EHDR + PHDR);
  return file;
}
