import assert from "node:assert/strict";
import { test } from "node:test";
import { kvm_regs, kvm_segment, kvm_sregs } from "../../sys/kvm.ts";
import { type CpuidEntry, filterCpuid } from "./cpuid.ts";
import {
  HOLE_END,
  HOLE_START,
  MP_TABLE_LIMIT,
  memoryRanges,
  START_INFO_ADDRESS,
  START_INFO_END,
} from "./layout.ts";
import { encodeMpTable, MP_TABLE_VCPUS_LIMIT } from "./mp-table.ts";
import { encodeStartInfo } from "./pvh.ts";
import { encodeGdt, setEntryRegs, setEntrySregs } from "./registers.ts";

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => total + byte, 0) & 0xff;
const ascii = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

test("memory that does not fit below the hole goes on above it", () => {
  assert.deepEqual(memoryRanges(128), [{ start: 0, length: 128 << 20 }]);
  assert.deepEqual(memoryRanges(3072), [{ start: 0, length: HOLE_START }]);
  assert.deepEqual(memoryRanges(5120), [
    { start: 0, length: HOLE_START },
    { start: HOLE_END, length: 2 * 2 ** 30 },
  ]);
});

test("the MP table has valid checksums, lists every processor, and fits", () => {
  for (const vcpus of [1, 2, MP_TABLE_VCPUS_LIMIT]) {
    const bytes = encodeMpTable(vcpus);
    assert.ok(bytes.length <= MP_TABLE_LIMIT);
    assert.equal(ascii(bytes.subarray(0, 4)), "_MP_");
    assert.equal(sum(bytes.subarray(0, 16)), 0);
    assert.equal(ascii(bytes.subarray(16, 20)), "PCMP");
    assert.equal(sum(bytes.subarray(16)), 0);
    const view = new DataView(bytes.buffer);
    assert.equal(view.getUint16(20, true), bytes.length - 16);
    const entries = view.getUint16(16 + 34, true);
    let processors = 0;
    let at = 16 + 44;
    for (let index = 0; index < entries; index++) {
      const type = view.getUint8(at);
      if (type === 0) processors++;
      at += type === 0 ? 20 : 8;
    }
    assert.equal(at, bytes.length);
    assert.equal(processors, vcpus);
  }
});

test("the boot record maps memory without the legacy area, and the hole", () => {
  const record = encodeStartInfo(memoryRanges(4096), { start: 0x7000000, length: 0x1234 });
  const view = new DataView(record.buffer);
  assert.ok(record.length <= START_INFO_END - START_INFO_ADDRESS);
  assert.equal(view.getUint32(0, true), 0x336ec578);
  assert.equal(view.getUint32(12, true), 1);
  const module = Number(view.getBigUint64(16, true)) - START_INFO_ADDRESS;
  assert.equal(view.getBigUint64(module, true), 0x7000000n);
  assert.equal(view.getBigUint64(module + 8, true), 0x1234n);
  const map = Number(view.getBigUint64(40, true)) - START_INFO_ADDRESS;
  const entries = Array.from({ length: view.getUint32(48, true) }, (_, index) => [
    Number(view.getBigUint64(map + 24 * index, true)),
    Number(view.getBigUint64(map + 24 * index + 8, true)),
    view.getUint32(map + 24 * index + 16, true),
  ]);
  assert.deepEqual(entries, [
    [0, 0x9fc00, 1],
    [0x9fc00, 0x100000 - 0x9fc00, 2],
    [0x100000, HOLE_START - 0x100000, 1],
    [HOLE_END, 2 ** 30, 1],
  ]);
});

test("the entry state is 32-bit, flat, protected mode with the boot record in EBX", () => {
  const sregs = new DataView(new ArrayBuffer(kvm_sregs.size));
  setEntrySregs(sregs);
  assert.equal(sregs.getBigUint64(kvm_sregs.cr0, true), 0x11n);
  for (const segment of [kvm_sregs.cs, kvm_sregs.ds, kvm_sregs.ss]) {
    assert.equal(sregs.getBigUint64(segment + kvm_segment.base, true), 0n);
    assert.equal(sregs.getUint32(segment + kvm_segment.limit, true), 0xffffffff);
    assert.equal(sregs.getUint8(segment + kvm_segment.db), 1);
    assert.equal(sregs.getUint8(segment + kvm_segment.l), 0);
  }
  const regs = new DataView(new ArrayBuffer(kvm_regs.size));
  setEntryRegs(regs, 0x1000200);
  assert.equal(regs.getBigUint64(kvm_regs.rip, true), 0x1000200n);
  assert.equal(regs.getBigUint64(kvm_regs.rbx, true), BigInt(START_INFO_ADDRESS));
  assert.equal(regs.getBigUint64(kvm_regs.rflags, true), 2n);
  const gdt = new DataView(encodeGdt().buffer);
  assert.equal(gdt.getBigUint64(8, true), 0x00cf9b000000ffffn);
  assert.equal(gdt.getBigUint64(16, true), 0x00cf93000000ffffn);
  assert.equal(gdt.getBigUint64(24, true), 0x00008b0000000067n);
});

test("CPUID offers no nested virtualisation, no performance counters, and the machine's topology", () => {
  const entry = (leaf: number, registers: Partial<CpuidEntry> = {}): CpuidEntry => ({
    function: leaf,
    index: 0,
    flags: 0,
    eax: 0,
    ebx: 0,
    ecx: 0,
    edx: 0,
    ...registers,
  });
  const all = { eax: -1, ebx: -1, ecx: -1, edx: -1 };
  const supported = [
    entry(1, all),
    entry(0xa, all),
    entry(0xb, all),
    entry(0x80000001, all),
    entry(0x8000000a, all),
    entry(0x4b564d01, { eax: 0x1234 }),
  ];
  const leaves = filterCpuid(supported, { apicId: 1, vcpus: 3 });
  const leaf = (number: number): CpuidEntry | undefined =>
    leaves.find((candidate) => candidate.function === number);
  const features = leaf(1);
  assert.ok(features);
  assert.equal(features.ecx & (1 << 5), 0); // VMX
  assert.equal((features.ecx >>> 24) & 1, 1); // TSC deadline timer
  assert.equal(features.ecx >>> 31, 1); // hypervisor
  assert.equal(features.ebx >>> 24, 1);
  assert.equal((features.ebx >>> 16) & 0xff, 3);
  assert.equal((leaf(0x80000001)?.ecx ?? 0) & (1 << 2), 0); // SVM
  assert.equal(leaf(0xa), undefined);
  assert.equal(leaf(0x8000000a), undefined);
  assert.equal(leaf(0x4b564d01)?.eax, 0x1234);
  const topology = leaves.filter((candidate) => candidate.function === 0xb);
  assert.deepEqual(
    topology.map(({ index, eax, ebx, edx }) => [index, eax, ebx, edx]),
    [
      [0, 0, 1, 1],
      [1, 2, 3, 1],
      [2, 0, 0, 1],
    ],
  );
});
