/** Frequency of the host's time stamp counter, counted against the monotonic clock. */

import { readFileSync } from "node:fs";
import koffi from "koffi";
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemoryMapping,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "./memory-mapping.ts";

/** Time between the two readings, in `milliseconds`; the error of a reading is well below a microsecond. */
const INTERVAL = 50;
/** Readings of which the one with the least disturbance is taken. */
const ATTEMPTS = 20;

/** A function without arguments that returns the counter. */
const READ_TSC = Uint8Array.of(
  ...[0x0f, 0x31], // rdtsc
  ...[0x48, 0xc1, 0xe2, 0x20], // shl rdx, 32
  ...[0x48, 0x09, 0xd0], // or rax, rdx
  0xc3, // ret
);

interface Reading {
  readonly ticks: bigint;
  readonly nanoseconds: bigint;
}

/** The frequency in `kHz`; undefined where the counter changes its pace or stops. Blocks for the interval. */
export function measureTscKhz(): number | undefined {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" ");
  if (!flags?.includes("constant_tsc") || !flags.includes("nonstop_tsc")) return undefined;

  // Only the calls below run the page, and they are over before it is unmapped.
  using page = new MemoryMapping({
    length: 4096,
    protection: PROT_READ | PROT_WRITE | PROT_EXEC,
    flags: MAP_PRIVATE | MAP_ANONYMOUS,
  });
  new Uint8Array(page.bytes).set(READ_TSC);
  const prototype = koffi.proto("uint64_t rdtsc()");
  const rdtsc = () => BigInt(koffi.call(page.address, prototype));

  const start = read(rdtsc);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, INTERVAL);
  const end = read(rdtsc);
  const ticks = Number(end.ticks - start.ticks);
  return Math.round((ticks * 1e6) / Number(end.nanoseconds - start.nanoseconds));
}

/** Reads both clocks at one moment: the attempt in which the least time passed around the counter. */
function read(rdtsc: () => bigint): Reading {
  let best: Reading = { ticks: 0n, nanoseconds: 0n };
  let shortest = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = process.hrtime.bigint();
    const ticks = rdtsc();
    const after = process.hrtime.bigint();
    const length = Number(after - before);
    if (length >= shortest) continue;
    shortest = length;
    best = { ticks, nanoseconds: (before + after) / 2n };
  }
  return best;
}
