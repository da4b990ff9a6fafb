/**
 * The devices that a container which is not privileged may open, whatever nodes it has or makes: without the rules its
 * root could reach the machine's disks and the agent's port by mknod(2), which Docker's capabilities allow.
 *
 * cgroup v2 has no files for them: the kernel asks a BPF program (kernel Documentation/admin-guide/cgroup-v2.rst,
 * "Device controller").
 */

import {
  BPF_ALU64,
  BPF_CGROUP_DEV_CTX,
  BPF_CGROUP_DEVICE,
  BPF_DEVCG_ACC_MKNOD,
  BPF_DEVCG_ACC_READ,
  BPF_DEVCG_ACC_WRITE,
  BPF_DEVCG_DEV_BLOCK,
  BPF_DEVCG_DEV_CHAR,
  BPF_EXIT,
  BPF_F_ALLOW_MULTI,
  BPF_H,
  BPF_JA,
  BPF_JEQ,
  BPF_JMP,
  BPF_JNE,
  BPF_JSET,
  BPF_K,
  BPF_LDX,
  BPF_MEM,
  BPF_MOV,
  BPF_PROG_TYPE_CGROUP_DEVICE,
  BPF_W,
} from "../linux/bpf.ts";
import type { DeviceRule } from "../protocol/container-spec.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import type { Cgroup } from "./cgroup.ts";
import { DEFAULT_DEVICES } from "./default-mounts.ts";
import { containerError } from "./errors.ts";

/** A character device that may be read and written. */
interface CharacterDevice {
  readonly major: number;
  /** absent: all of the major's */
  readonly minor?: number;
}

/**
 * Those of every container, and its terminals (runc libcontainer/specconv, AllowedDevices). Docker allows 5:1 as well,
 * which is the machine's console; a container's own is one of its terminals.
 */
const DEFAULT_RULES: readonly CharacterDevice[] = [
  ...DEFAULT_DEVICES,
  { major: 5, minor: 2 },
  { major: 136 },
];

/** Holds the processes of the group, and of those below it, to Docker's devices and further ones. @throws ContainerError */
export function restrictDevices(
  sys: Syscalls,
  cgroup: Cgroup,
  further: readonly DeviceRule[] = [],
): void {
  const attachType = BPF_CGROUP_DEVICE;
  const target = cgroup.open();
  try {
    const program = sys.bpf_prog_load({
      type: BPF_PROG_TYPE_CGROUP_DEVICE,
      attachType,
      instructions: deviceProgram(DEFAULT_RULES, further),
    });
    try {
      // The group holds the program from here on. Groups below it may have further ones, which can only forbid more.
      sys.bpf_prog_attach({ program, target, attachType, flags: BPF_F_ALLOW_MULTI });
    } finally {
      sys.close(program);
    }
  } catch (error) {
    if (!isSyscallError(error)) throw error;
    const step = { stage: "restrict devices", errno: error.errno, path: cgroup.path };
    throw containerError("CONTAINER_SETUP", `cannot restrict devices: ${error.code}`, step);
  } finally {
    sys.close(target);
  }
}

/** Registers: what is returned, the argument, and our own. */
const VERDICT = 0;
const CONTEXT = 1;
const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

const { access_type, major, minor } = BPF_CGROUP_DEV_CTX.fields;

/** What an instruction does and to which registers: its first two bytes (`BPF_INSN`). */
const operation = (code: number, target: number, source = 0): number =>
  code | (target << 8) | (source << 12);

const LOAD = BPF_LDX | BPF_MEM | BPF_W;
const LOAD_HALF = BPF_LDX | BPF_MEM | BPF_H;
const IF = BPF_JMP | BPF_JEQ | BPF_K;
const IF_NOT = BPF_JMP | BPF_JNE | BPF_K;
const IF_ANY = BPF_JMP | BPF_JSET | BPF_K;
const GO = operation(BPF_JMP | BPF_JA, 0);
const LOAD_TYPE = operation(LOAD_HALF, TYPE, CONTEXT);
const LOAD_ACCESS = operation(LOAD_HALF, ACCESS, CONTEXT);
const LOAD_MAJOR = operation(LOAD, MAJOR, CONTEXT);
const LOAD_MINOR = operation(LOAD, MINOR, CONTEXT);
const SET_VERDICT = operation(BPF_ALU64 | BPF_MOV | BPF_K, VERDICT);
const EXIT = operation(BPF_JMP | BPF_EXIT, 0);

/** Instructions before those of the rules, of a rule, and of a verdict. */
const BEFORE_RULES = 6;
const PER_RULE = 2;
const PER_VERDICT = 2;

/** A program that lets any node be made, and the character devices of `rules` and what `further` allows be opened. */
export function deviceProgram(
  rules: readonly CharacterDevice[],
  further: readonly DeviceRule[] = [],
): Uint8Array {
  const others = BEFORE_RULES + PER_RULE * rules.length;
  const checks = further.map(checksOf);
  const forbid = others + checks.reduce((sum, { length }) => sum + length + 1, 0);
  const allow = forbid + PER_VERDICT;
  const words = new Uint32Array(2 * (allow + PER_VERDICT));
  let next = 0;
  // An object for each instruction would take QuickJS half a million instructions of the machine's.
  const emit = (what: number, value: number, offset = 0): void => {
    words[2 * next] = what | (offset << 16);
    words[2 * next + 1] = value;
    next++;
  };
  // A jump counts from the instruction after it.
  const emitJump = (what: number, value: number, to: number): void =>
    emit(what, value, to - next - 1);
  // The type is the lower half of its field, the access the upper one. Shifts and masks in their place would have the
  // kernel's verifier run through its arithmetic on ranges.
  emit(LOAD_TYPE, 0, access_type.offset);
  emit(LOAD_ACCESS, 0, access_type.offset + 2);
  emitJump(operation(IF, ACCESS), BPF_DEVCG_ACC_MKNOD, allow);
  emit(LOAD_MAJOR, 0, major.offset);
  emit(LOAD_MINOR, 0, minor.offset);
  emitJump(operation(IF_NOT, TYPE), BPF_DEVCG_DEV_CHAR, others);
  for (const rule of rules) {
    emitJump(operation(IF_NOT, MAJOR), rule.major, next + PER_RULE);
    // Without a minor number this asks again for the major, which is the one.
    if (rule.minor === undefined) emitJump(operation(IF, MAJOR), rule.major, allow);
    else emitJump(operation(IF, MINOR), rule.minor, allow);
  }
  for (const failing of checks) {
    const after = next + failing.length + 1;
    for (const [what, value] of failing) emitJump(what, value, after);
    emitJump(GO, 0, allow);
  }
  for (const verdict of [0, 1]) {
    emit(SET_VERDICT, verdict);
    emit(EXIT, 0);
  }
  return new Uint8Array(words.buffer);
}

/** Instructions that jump where the device, or what is to be done with it, is not the rule's; each with its value. */
function checksOf({ type, major, minor, access }: DeviceRule): (readonly [number, number])[] {
  const kinds = { all: undefined, character: BPF_DEVCG_DEV_CHAR, block: BPF_DEVCG_DEV_BLOCK };
  const wanted = [
    [TYPE, kinds[type]],
    [MAJOR, major],
    [MINOR, minor],
  ] as const;
  const forbidden =
    (access.read ? 0 : BPF_DEVCG_ACC_READ) | (access.write ? 0 : BPF_DEVCG_ACC_WRITE);
  return [
    ...wanted.flatMap(([register, value]) =>
      value === undefined ? [] : [[operation(IF_NOT, register), value] as const],
    ),
    ...(forbidden === 0 ? [] : [[operation(IF_ANY, ACCESS), forbidden] as const]),
  ];
}
