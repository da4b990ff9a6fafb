/** A seccomp(2) filter for the whole process: a list of system calls, and death for all others. */

import { Buffer } from "node:buffer";
import koffi from "koffi";
import {
  AUDIT_ARCH_X86_64,
  SECCOMP_DATA,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_SET_MODE_FILTER,
} from "#linux/seccomp";

import { foreign } from "./libc.ts";
import { SYS } from "./system-call-numbers.ts";
import { checked } from "./system-error.ts";

// Codes of linux/bpf_common.h for the instructions used.
const BPF_LD_W_ABS = 0x20;
const BPF_JMP_JEQ_K = 0x15;
const BPF_RET_K = 0x06;
const INSTRUCTION_SIZE = 8;
/** BPF_MAXINSNS */
const INSTRUCTIONS_LIMIT = 4096;

// The filter is copied by the kernel during the call.
const syscall = foreign<
  (number: number, operation: number, flags: number, program: Uint8Array) => number
>("long syscall(long number, unsigned long operation, unsigned long flags, const void *program)");

/** A system call that is let through, or that fails and does no harm. */
export interface AllowedCall {
  /** number on x86-64 */
  readonly number: number;
  /** errno that the call fails with, without being made */
  readonly errno?: number;
  /** the only values, of 32 bits, that an argument may have; any when left out */
  readonly argument?: { readonly index: number; readonly values: readonly number[] };
}

/**
 * Installs the filter on all threads. From then on a call that is not in the list ends the process by
 * SIGSYS. Needs no_new_privs.
 *
 * @throws {SystemError} when the kernel refuses the filter
 */
export function installSeccompFilter(allowed: readonly AllowedCall[]): void {
  const filter = encodeFilter(allowed);
  const program = Buffer.alloc(16); // struct sock_fprog: length, then the address of the instructions
  program.writeUInt16LE(filter.length / INSTRUCTION_SIZE, 0);
  program.writeBigUInt64LE(koffi.address(filter), 8);
  const flags = SECCOMP_FILTER_FLAG_TSYNC;
  checked("seccomp", "filter", syscall(SYS.seccomp, SECCOMP_SET_MODE_FILTER, flags, program));
}

/** Encodes the filter as classic BPF instructions; calls are tried in the order of the list. */
export function encodeFilter(allowed: readonly AllowedCall[]): Buffer {
  const instructions = [
    ...load(SECCOMP_DATA.fields.arch.offset),
    ...unlessEqual(AUDIT_ARCH_X86_64, RETURN_KILL),
    ...load(SECCOMP_DATA.fields.nr.offset),
    ...allowed.flatMap(encodeCall),
    ...RETURN_KILL,
  ];
  if (instructions.length > INSTRUCTIONS_LIMIT) throw new RangeError("too many system calls");
  const filter = Buffer.alloc(instructions.length * INSTRUCTION_SIZE);
  for (const [index, [code, ifTrue, ifFalse, k]] of instructions.entries()) {
    const at = index * INSTRUCTION_SIZE;
    filter.writeUInt16LE(code, at);
    filter.writeUInt8(ifTrue, at + 2);
    filter.writeUInt8(ifFalse, at + 3);
    filter.writeUInt32LE(k, at + 4);
  }
  return filter;
}

/** struct sock_filter: code, jump if true, jump if false, constant */
type Instruction = readonly [number, number, number, number];

const RETURN_KILL: Instruction[] = [[BPF_RET_K, 0, 0, SECCOMP_RET_KILL_PROCESS]];

const load = (offset: number): Instruction[] => [[BPF_LD_W_ABS, 0, 0, offset]];

/** Runs `then` unless the loaded word is `value`. */
function unlessEqual(value: number, then: Instruction[]): Instruction[] {
  return [[BPF_JMP_JEQ_K, then.length, 0, value], ...then];
}

function encodeCall({ number, argument, errno }: AllowedCall): Instruction[] {
  const verdict = errno === undefined ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | errno;
  const conclude: Instruction[] = [[BPF_RET_K, 0, 0, verdict]];
  if (argument === undefined) return [[BPF_JMP_JEQ_K, 0, conclude.length, number], ...conclude];
  const body = [
    ...load(SECCOMP_DATA.fields.args.offset + 8 * argument.index),
    ...argument.values.flatMap((value): Instruction[] => [
      [BPF_JMP_JEQ_K, 0, conclude.length, value],
      ...conclude,
    ]),
    ...RETURN_KILL,
  ];
  return [[BPF_JMP_JEQ_K, 0, body.length, number], ...body];
}
