/** The state in which PVH enters the kernel (Xen's HVM direct boot ABI): 32-bit, flat, paging off. */

import { kvm_regs, kvm_segment, kvm_sregs } from "../../sys/kvm.ts";
import { GDT_ADDRESS, START_INFO_ADDRESS } from "./layout.ts";

const CR0_PE = 1;
const CR0_ET = 1 << 4;
/** bit 1 of RFLAGS, which is always set */
const RFLAGS_RESERVED = 2;

const CODE = { selector: 0x08, type: 0xb, s: 1, db: 1, g: 1, limit: 0xffffffff };
const DATA = { selector: 0x10, type: 0x3, s: 1, db: 1, g: 1, limit: 0xffffffff };
const TASK = { selector: 0x18, type: 0xb, s: 0, db: 0, g: 0, limit: 0x67 };

/** Changes a fresh vCPU's special registers, a struct kvm_sregs, to the entry state. */
export function setEntrySregs(sregs: DataView): void {
  setSegment(sregs, kvm_sregs.cs, CODE);
  for (const at of [kvm_sregs.ds, kvm_sregs.es, kvm_sregs.fs, kvm_sregs.gs, kvm_sregs.ss]) {
    setSegment(sregs, at, DATA);
  }
  setSegment(sregs, kvm_sregs.tr, TASK);
  sregs.setBigUint64(kvm_sregs.gdt, BigInt(GDT_ADDRESS), true);
  sregs.setUint16(kvm_sregs.gdt + 8, gdt.length * 8 - 1, true);
  sregs.setBigUint64(kvm_sregs.cr0, BigInt(CR0_PE | CR0_ET), true);
}

/** Fills a zeroed struct kvm_regs for the first instruction of the kernel. */
export function setEntryRegs(regs: DataView, entry: number): void {
  regs.setBigUint64(kvm_regs.rip, BigInt(entry), true);
  regs.setBigUint64(kvm_regs.rbx, BigInt(START_INFO_ADDRESS), true);
  regs.setBigUint64(kvm_regs.rflags, BigInt(RFLAGS_RESERVED), true);
}

const gdt = [0n, descriptor(CODE), descriptor(DATA), descriptor(TASK)];

/** The descriptor table that the entry selectors name, for `GDT_ADDRESS`. */
export function encodeGdt(): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(gdt.length * 8));
  for (const [index, value] of gdt.entries()) view.setBigUint64(index * 8, value, true);
  return new Uint8Array(view.buffer);
}

interface Segment {
  readonly selector: number;
  /** segment type, Intel SDM volume 3 §3.4.5.1 */
  readonly type: number;
  /** 1 for code and data, 0 for system segments */
  readonly s: number;
  /** 1 for 32-bit segments */
  readonly db: number;
  /** 1 when the limit counts pages */
  readonly g: number;
  /** limit, in `bytes` */
  readonly limit: number;
}

function setSegment(sregs: DataView, at: number, segment: Segment): void {
  sregs.setBigUint64(at + kvm_segment.base, 0n, true);
  sregs.setUint32(at + kvm_segment.limit, segment.limit, true);
  sregs.setUint16(at + kvm_segment.selector, segment.selector, true);
  sregs.setUint8(at + kvm_segment.type, segment.type);
  sregs.setUint8(at + kvm_segment.present, 1);
  sregs.setUint8(at + kvm_segment.dpl, 0);
  sregs.setUint8(at + kvm_segment.db, segment.db);
  sregs.setUint8(at + kvm_segment.s, segment.s);
  sregs.setUint8(at + kvm_segment.l, 0);
  sregs.setUint8(at + kvm_segment.g, segment.g);
  sregs.setUint8(at + kvm_segment.unusable, 0);
}

/** The 8-byte form of a segment with base 0 (Intel SDM volume 3, figure 3-8). */
function descriptor({ type, s, db, g, limit }: Segment): bigint {
  const units = BigInt(g === 1 ? limit >>> 12 : limit);
  const access = BigInt(0x80 | (s << 4) | type);
  const flags = BigInt((g << 3) | (db << 2));
  return (units & 0xffffn) | (access << 40n) | ((units >> 16n) << 48n) | (flags << 52n);
}
