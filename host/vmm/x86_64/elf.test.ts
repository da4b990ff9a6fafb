import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KernelImageError, parseKernelImage } from "./elf.ts";

/** A vmlinux with one segment at 16 MiB and the notes given. */
function vmlinux(notes: Uint8Array): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(0x200 + notes.length);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x464c457f, true);
  view.setUint8(4, 2);
  view.setUint8(5, 1);
  view.setUint16(18, 62, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  setProgramHeader(view, 64, {
    type: 1,
    offset: 0x1000,
    address: 0x1000000,
    file: 0x500,
    memory: 0x900,
  });
  setProgramHeader(view, 120, {
    type: 4,
    offset: 0x200,
    address: 0,
    file: notes.length,
    memory: 0,
  });
  file.set(notes, 0x200);
  return file;
}

function setProgramHeader(
  view: DataView,
  at: number,
  header: { type: number; offset: number; address: number; file: number; memory: number },
): void {
  view.setUint32(at, header.type, true);
  view.setBigUint64(at + 8, BigInt(header.offset), true);
  view.setBigUint64(at + 24, BigInt(header.address), true);
  view.setBigUint64(at + 32, BigInt(header.file), true);
  view.setBigUint64(at + 40, BigInt(header.memory), true);
}

function note(name: string, type: number, descriptor: number): number[] {
  const words = new DataView(new ArrayBuffer(20));
  words.setUint32(0, name.length + 1, true);
  words.setUint32(4, 4, true);
  words.setUint32(8, type, true);
  for (let index = 0; index < name.length; index++)
    words.setUint8(12 + index, name.charCodeAt(index));
  words.setUint32(16, descriptor, true);
  return [...new Uint8Array(words.buffer)];
}

const reader = (file: Uint8Array<ArrayBuffer>) => (offset: number, length: number) => {
  if (offset + length > file.length) throw new KernelImageError("file ends");
  return new DataView(file.slice(offset, offset + length).buffer);
};

test("finds segments and the PVH entry among other notes", () => {
  const notes = [...note("GNU", 18, 1), ...note("Xen", 17, 2), ...note("Xen", 18, 0x1234567)];
  const image = parseKernelImage(reader(vmlinux(Uint8Array.from(notes))));
  assert.equal(image.entry, 0x1234567);
  assert.deepEqual(image.segments, [
    { address: 0x1000000, offset: 0x1000, fileSize: 0x500, memorySize: 0x900 },
  ]);
});

test("refuses a kernel without the PVH note", () => {
  const file = vmlinux(Uint8Array.from(note("GNU", 3, 1)));
  assert.throws(() => parseKernelImage(reader(file)), /no PVH entry note/);
});

test("refuses what is no ELF file, or not for x86-64", () => {
  assert.throws(() => parseKernelImage(reader(new Uint8Array(64))), /no ELF file/);
  assert.throws(() => parseKernelImage(reader(new Uint8Array(3))), KernelImageError);
  const arm = vmlinux(new Uint8Array());
  arm[18] = 183;
  assert.throws(() => parseKernelImage(reader(arm)), /x86-64/);
});

test("a damaged file is refused or parsed, and nothing else happens", () => {
  const file = vmlinux(Uint8Array.from(note("Xen", 18, 0x100000)));
  const damage = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 20 });
  fc.assert(
    fc.property(damage, (changes) => {
      const damaged = file.slice();
      for (const [at, value] of changes) damaged[at] = value;
      try {
        parseKernelImage(reader(damaged));
      } catch (error) {
        if (!(error instanceof KernelImageError)) throw error;
      }
    }),
  );
});
