/**
 * The MP table: how the guest learns of its processors and of the I/O APIC without ACPI
 * (Intel MultiProcessor Specification 1.4, chapter 4).
 */

import * as layout from "./layout.ts";

const FLOATING_POINTER_SIZE = 16;
const HEADER_SIZE = 44;
const SPEC_REVISION_1_4 = 4;
const APIC_VERSION = 0x14;

// Entry types, and the interrupt types of §4.3.4.
const PROCESSOR = 0;
const BUS = 1;
const IO_APIC = 2;
const IO_INTERRUPT = 3;
const LOCAL_INTERRUPT = 4;
const INT = 0;
const NMI = 1;
const EXTINT = 3;

const CPU_ENABLED = 1;
const CPU_BOOTSTRAP = 2;
const ALL_LOCAL_APICS = 0xff;

/** the most processors that the table, with its interrupts, has room for */
export const MP_TABLE_VCPUS_LIMIT = Math.floor(
  (layout.MP_TABLE_LIMIT - FLOATING_POINTER_SIZE - HEADER_SIZE - 8 * (layout.IO_APIC_PINS + 4)) /
    20,
);

/** Encodes the floating pointer and, right behind it, the table for `vcpus` processors. */
export function encodeMpTable(vcpus: number): Uint8Array<ArrayBuffer> {
  const ioApicId = vcpus; // local APICs have the numbers below
  const entries = [
    ...Array.from({ length: vcpus }, (_, id) => processor(id)),
    [BUS, 0, ...ascii("ISA   ")],
    [IO_APIC, ioApicId, APIC_VERSION, 1, ...word(layout.IO_APIC_ADDRESS)],
    ...Array.from({ length: layout.IO_APIC_PINS }, (_, pin) => ioInterrupt(pin, ioApicId)),
    localInterrupt(EXTINT, 0, 0),
    localInterrupt(NMI, ALL_LOCAL_APICS, 1),
  ];
  const body = entries.flat();
  const length = HEADER_SIZE + body.length;
  const name = ascii("DVM     DVM         ");
  const start = [...ascii("PCMP"), ...half(length), SPEC_REVISION_1_4, 0, ...name];
  const end = [...word(0), ...half(0), ...half(entries.length), ...word(layout.LOCAL_APIC_ADDRESS)];
  const table = withChecksum([...start, ...end, ...word(0), ...body], 7);
  const address = word(layout.MP_TABLE_ADDRESS + FLOATING_POINTER_SIZE);
  const pointer = [...ascii("_MP_"), ...address, 1, SPEC_REVISION_1_4, ...word(0), 0, 0];
  return new Uint8Array([...withChecksum(pointer, 10), ...table]);
}

function processor(id: number): number[] {
  const flags = CPU_ENABLED | (id === 0 ? CPU_BOOTSTRAP : 0);
  // Signature and feature flags: family 6 with FPU, APIC; Linux takes the true ones from CPUID.
  const about = [...word(0x600), ...word(0x201), ...word(0), ...word(0)];
  return [PROCESSOR, id, APIC_VERSION, flags, ...about];
}

/** Line `pin` of the ISA bus on the same pin of the I/O APIC, except that the timer's 0 is wired to 2. */
function ioInterrupt(pin: number, ioApicId: number): number[] {
  if (pin === 2) return [IO_INTERRUPT, INT, ...half(0), 0, 0, ioApicId, 2];
  if (pin === 0) return [IO_INTERRUPT, EXTINT, ...half(0), 0, 0, ioApicId, 0];
  return [IO_INTERRUPT, INT, ...half(0), 0, pin, ioApicId, pin];
}

function localInterrupt(type: number, apic: number, pin: number): number[] {
  return [LOCAL_INTERRUPT, type, ...half(0), 0, 0, apic, pin];
}

const ascii = (text: string): number[] => Array.from(text, (letter) => letter.charCodeAt(0));
const half = (value: number): number[] => [value & 0xff, value >>> 8];
const word = (value: number): number[] => [...half(value & 0xffff), ...half(value >>> 16)];

/** Sets the byte at `position` so that all bytes add up to zero modulo 256. */
function withChecksum(bytes: number[], position: number): number[] {
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  return bytes.with(position, -sum & 0xff);
}
