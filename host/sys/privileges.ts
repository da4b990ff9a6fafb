/** What a thread gives up for good: capabilities, privileges by exec, and files that are not yet open. */

import { Buffer } from "node:buffer";

import { foreign } from "./libc.ts";
import { SYS } from "./system-call-numbers.ts";
import { checked } from "./system-error.ts";

const prctl = foreign<(option: number, a: number, b: number, c: number, d: number) => number>(
  "int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)",
);
const signal = foreign<(number: number, action: number) => unknown>(
  "void *signal(int number, uintptr_t action)",
);
// Buffers are read by the kernel during the call only.
const capget = foreign<(header: Uint8Array, data: Uint8Array) => number>(
  "int capget(void *header, void *data)",
);
const capset = foreign<(header: Uint8Array, data: Uint8Array) => number>(
  "int capset(void *header, const void *data)",
);
const landlock_create_ruleset = foreign<
  (number: number, attributes: Uint8Array | null, size: number, flags: number) => number
>("long syscall(long number, const void *attributes, size_t size, unsigned int flags)");
const landlock_add_rule = foreign<
  (number: number, ruleset: number, type: number, rule: Uint8Array, flags: number) => number
>("long syscall(long number, int ruleset, int type, const void *rule, unsigned int flags)");
const landlock_restrict_self = foreign<(number: number, ruleset: number, flags: number) => number>(
  "long syscall(long number, int ruleset, unsigned int flags)",
);
const close = foreign<(fd: number) => number>("int close(int fd)");

// linux/prctl.h, linux/capability.h, linux/landlock.h
const PR_SET_PDEATHSIG = 1;
const PR_SET_NO_NEW_PRIVS = 38;
const _LINUX_CAPABILITY_VERSION_3 = 0x20080522;
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;

/** The file accesses that each version of Landlock's interface knows: as many low bits. */
const LANDLOCK_ACCESS_BITS = [0, 13, 14, 15, 15, 16];

const SIGINT = 2;
const SIGKILL = 9;
const SIGTERM = 15;
const SIG_DFL = 0;

/** This process is killed at the death of the thread that started it, from now on. */
export function dieWithParent(): void {
  checked("prctl", "PR_SET_PDEATHSIG", prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
}

/**
 * The signals that ask a process to end do so at once from now on. Node's own handlers restore the terminal first,
 * by system calls that a sandbox need not let through.
 */
export function endAtSignals(): void {
  for (const number of [SIGINT, SIGTERM]) signal(number, SIG_DFL);
}

/** This thread, and those that it starts, can gain nothing by exec. */
export function setNoNewPrivileges(): void {
  checked("prctl", "PR_SET_NO_NEW_PRIVS", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/** This thread, and those that it starts, have no capability any more, but those to be `kept` that they had. */
export function dropCapabilities(kept: readonly number[]): void {
  const header = Buffer.alloc(8); // struct __user_cap_header_struct: version, process (this thread)
  header.writeUInt32LE(_LINUX_CAPABILITY_VERSION_3);
  const data = Buffer.alloc(24); // struct __user_cap_data_struct, two of them: effective, permitted, inheritable
  checked("capget", "of this thread", capget(header, data));
  const mask = kept.reduce((bits, capability) => bits | (1 << capability), 0);
  const left = data.readUInt32LE(4) & mask;
  data.fill(0);
  data.writeInt32LE(left, 0);
  data.writeInt32LE(left, 4);
  checked("capset", "to fewer", capset(header, data));
}

/** LANDLOCK_ACCESS_FS_EXECUTE, _READ_FILE and _READ_DIR */
const LANDLOCK_READING = 0b1101n;
/** What can be done to a file that is no folder: _EXECUTE, _WRITE_FILE, _READ_FILE and _TRUNCATE */
const LANDLOCK_FILE = 0b100_0000_0000_0111n;

/** A folder, or a single file, that stays open to a thread. */
export interface OpenFolder {
  readonly kind: "folder" | "file";
  readonly fd: number;
  readonly readOnly: boolean;
}

/**
 * From now on this thread, and those that it starts, can open no file except beneath the `folders`. False when the
 * kernel has no Landlock.
 */
export function restrictFiles(folders: readonly OpenFolder[]): boolean {
  const version = landlock_create_ruleset(
    SYS.landlock_create_ruleset,
    null,
    0,
    LANDLOCK_CREATE_RULESET_VERSION,
  );
  if (version < 0) return false;
  const bits = LANDLOCK_ACCESS_BITS[version] ?? LANDLOCK_ACCESS_BITS.at(-1) ?? 0;
  const access = (1n << BigInt(bits)) - 1n;
  const attributes = Buffer.alloc(8); // struct landlock_ruleset_attr: handled_access_fs
  attributes.writeBigUInt64LE(access);
  const ruleset = checked(
    "landlock_create_ruleset",
    "of all accesses",
    landlock_create_ruleset(SYS.landlock_create_ruleset, attributes, attributes.length, 0),
  );
  for (const { kind, fd, readOnly } of folders) {
    const rule = Buffer.alloc(12); // struct landlock_path_beneath_attr, packed
    const possible = kind === "file" ? access & LANDLOCK_FILE : access;
    rule.writeBigUInt64LE(readOnly ? possible & LANDLOCK_READING : possible);
    rule.writeInt32LE(fd, 8);
    const added = landlock_add_rule(
      SYS.landlock_add_rule,
      ruleset,
      LANDLOCK_RULE_PATH_BENEATH,
      rule,
      0,
    );
    checked("landlock_add_rule", `for descriptor ${fd}`, added);
  }
  const restricted = landlock_restrict_self(SYS.landlock_restrict_self, ruleset, 0);
  checked("landlock_restrict_self", "", restricted);
  close(ruleset);
  return true;
}
