/** Compiles a seccomp profile to the classic BPF program that the kernel runs before every system call. */

import { BPF_MAXINSNS } from "../../linux/bpf.ts";
import { ERRNO } from "../../linux/errno.ts";
import {
  AUDIT_ARCH_I386,
  AUDIT_ARCH_X86_64,
  SECCOMP_DATA,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
} from "../../linux/seccomp.ts";
import { containerError } from "../errors.ts";
import { BpfProgram, type Decision } from "./bpf-program.ts";
import {
  type Action,
  type ArgumentRule,
  applicableRules,
  type ProfileContext,
  type SeccompProfile,
  type SyscallRule,
} from "./profile.ts";
import { type Machine, syscallNumbers } from "./syscall-numbers.ts";

// asm/unistd.h: the numbers of x32 calls start here
const __X32_SYSCALL_BIT = 0x4000_0000;

const SECCOMP_RET: Record<Action["kind"], number> = {
  KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  TRAP: SECCOMP_RET_TRAP,
  ERRNO: SECCOMP_RET_ERRNO,
  TRACE: SECCOMP_RET_TRACE,
  LOG: SECCOMP_RET_LOG,
  ALLOW: SECCOMP_RET_ALLOW,
};

const { nr, arch, args: callArgs } = SECCOMP_DATA.fields;

const ENOSYS: Action = { kind: "ERRNO", data: ERRNO.ENOSYS };
const KILL_PROCESS: Action = { kind: "KILL_PROCESS", data: 0 };

/**
 * The program for `profile` in a container with `context`, struct sock_filter[].
 *
 * A call of a machine that the profile does not know kills the process, as libseccomp has it. x32 calls fail with
 * ENOSYS where Docker lets them pass: the guest's kernel is built without them.
 *
 * @throws ContainerError `SECCOMP_PROFILE` when the program exceeds the kernel's limit
 */
export function compileProfile(profile: SeccompProfile, context: ProfileContext): Uint8Array {
  const rules = applicableRules(profile, context);
  const program = new BpfProgram();
  const { defaultAction } = profile;
  const unknownMachine = actionOf(program, KILL_PROCESS);
  const i386 = profile.i386
    ? program.load(nr.offset, decideNumber(program, "i386", { rules, defaultAction }))
    : unknownMachine;
  const native = decideNumber(program, "x86_64", { rules, defaultAction });
  const x86_64 = program.load(
    nr.offset,
    program.ifGreaterOrEqual(__X32_SYSCALL_BIT, actionOf(program, ENOSYS), native),
  );
  program.load(
    arch.offset,
    program.ifEqual(
      AUDIT_ARCH_X86_64,
      x86_64,
      program.ifEqual(AUDIT_ARCH_I386, i386, unknownMachine),
    ),
  );
  if (program.length > BPF_MAXINSNS) {
    throw containerError(
      "SECCOMP_PROFILE",
      `seccomp profile too large: ${program.length} instructions, the kernel takes ${BPF_MAXINSNS}`,
    );
  }
  return program.bytes();
}

/** Decides by the call's number, which the accumulator holds. */
function decideNumber(
  program: BpfProgram,
  machine: Machine,
  {
    rules,
    defaultAction,
  }: { readonly rules: readonly SyscallRule[]; readonly defaultAction: Action },
): Decision {
  const numbers = syscallNumbers(machine);
  const byNumber = new Map<number, SyscallRule[]>();
  for (const rule of rules) {
    for (const name of rule.names) {
      const number = numbers.get(name);
      if (number === undefined) continue;
      const others = byNumber.get(number);
      if (others === undefined) byNumber.set(number, [rule]);
      else others.push(rule);
    }
  }
  const otherwise = actionOf(program, defaultAction);
  const segments: Segment[] = [{ first: 0, decision: otherwise }];
  let next = 0;
  for (const number of [...byNumber.keys()].sort((a, b) => a - b)) {
    if (number > next) extend(segments, next, otherwise);
    extend(segments, number, decideCall(program, byNumber.get(number) ?? [], otherwise));
    next = number + 1;
  }
  // A call newer than all that the profile names is unknown rather than forbidden, so that a C library falls back
  // to an older one. runc does the same (libcontainer/seccomp/patchbpf).
  extend(segments, next, lets(defaultAction) ? otherwise : actionOf(program, ENOSYS));
  return search(program, segments);
}

/** Calls from `first` up to the next segment, with one decision for all. */
interface Segment {
  readonly first: number;
  readonly decision: Decision;
}

function extend(segments: Segment[], first: number, decision: Decision): void {
  const last = segments.at(-1);
  if (last?.decision === decision) return;
  if (last?.first === first) segments.pop();
  segments.push({ first, decision });
}

/** Binary search for the last segment that begins at or below the number. */
function search(program: BpfProgram, segments: readonly Segment[]): Decision {
  const middle = segments.length >> 1;
  const { first, decision } = segments[middle] ?? { first: 0, decision: 0 };
  if (segments.length <= 1) return decision;
  const above = search(program, segments.slice(middle));
  const below = search(program, segments.slice(0, middle));
  return program.ifGreaterOrEqual(first, above, below);
}

/** Decides one call by its rules: one without conditions on arguments outweighs all others, as in libseccomp. */
function decideCall(
  program: BpfProgram,
  rules: readonly SyscallRule[],
  otherwise: Decision,
): Decision {
  const plain = rules.find(({ args }) => args === undefined || args.length === 0);
  if (plain !== undefined) return actionOf(program, plain.action);
  let decision = otherwise;
  for (const rule of rules.toReversed()) {
    const action = actionOf(program, rule.action);
    for (const args of alternatives(rule.args ?? []).toReversed()) {
      const otherRules = decision;
      decision = args.reduceRight(
        (yes, arg) => compare(program, arg, { yes, no: otherRules }),
        action,
      );
    }
  }
  return decision;
}

/** libseccomp takes one comparison an argument: of a rule with several, runc makes each comparison a rule. */
function alternatives(args: readonly ArgumentRule[]): (readonly ArgumentRule[])[] {
  const indexes = new Set(args.map(({ index }) => index));
  return indexes.size === args.length ? [args] : args.map((arg) => [arg]);
}

const WORD = 0x1_0000_0000;

/** Compares a 64-bit argument in two halves, the accumulator holding 32 bits. */
function compare(
  program: BpfProgram,
  arg: ArgumentRule,
  { yes, no }: { readonly yes: Decision; readonly no: Decision },
): Decision {
  const { op, value, valueTwo, index } = arg;
  const lowOffset = callArgs.offset + 8 * index;
  const high = Math.floor(value / WORD);
  const low = value % WORD;
  const halves = (ifHigh: (onLow: Decision) => Decision, onLow: Decision): Decision =>
    program.load(lowOffset + 4, ifHigh(program.load(lowOffset, onLow)));
  const ordered = (onLow: Decision, greater: Decision, less: Decision): Decision =>
    halves((equal) => program.ifGreater(high, greater, program.ifEqual(high, equal, less)), onLow);
  switch (op) {
    case "EQ":
      return halves((equal) => program.ifEqual(high, equal, no), program.ifEqual(low, yes, no));
    case "NE":
      return halves((equal) => program.ifEqual(high, equal, yes), program.ifEqual(low, no, yes));
    case "GT":
      return ordered(program.ifGreater(low, yes, no), yes, no);
    case "GE":
      return ordered(program.ifGreaterOrEqual(low, yes, no), yes, no);
    case "LT":
      return ordered(program.ifGreaterOrEqual(low, no, yes), no, yes);
    case "LE":
      return ordered(program.ifGreater(low, no, yes), no, yes);
    case "MASKED_EQ": {
      const onLow = program.and(low, program.ifEqual(valueTwo % WORD, yes, no));
      return halves(
        (equal) => program.and(high, program.ifEqual(Math.floor(valueTwo / WORD), equal, no)),
        onLow,
      );
    }
  }
}

/** Whether a call with this action runs. */
function lets({ kind }: Action): boolean {
  return kind === "ALLOW" || kind === "LOG" || kind === "TRACE";
}

function actionOf(program: BpfProgram, { kind, data }: Action): Decision {
  return program.ret((SECCOMP_RET[kind] | data) >>> 0);
}
