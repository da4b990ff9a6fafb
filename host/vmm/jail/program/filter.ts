/** A seccomp filter against what reaches other processes, namespaces and more of the kernel than a VMM needs. */

import { ERRNO } from "#linux/errno";
import {
  AUDIT_ARCH_X86_64,
  SECCOMP_DATA,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_SET_MODE_FILTER,
} from "#linux/seccomp";
import { addressOf, call } from "../../../sys/quickjs/calls.ts";

/** Numbers on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl, Linux 6.1) of calls that fail with EPERM. */
const REFUSED: readonly number[] = [
  // other processes: tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, ptrace, process_vm_readv, process_vm_writev, kcmp,
  // pidfd_send_signal, pidfd_getfd, process_madvise, process_mrelease, migrate_pages, move_pages
  ...[200, 129, 297, 101, 310, 311, 312, 424, 438, 440, 448, 256, 279],
  // namespaces and mounts: pivot_root, chroot, mount, umount2, unshare, setns, open_tree to fspick, mount_setattr
  ...[155, 161, 165, 166, 272, 308, 428, 429, 430, 431, 432, 433, 442],
  // personality, init_module, kexec_load, add_key, request_key, keyctl, perf_event_open, finit_module,
  // open_by_handle_at, kexec_file_load, bpf, userfaultfd, io_uring_setup to io_uring_register
  ...[135, 175, 246, 248, 249, 250, 298, 313, 304, 320, 321, 323, 425, 426, 427],
];
const KILL = 62;
const TGKILL = 234;
const PRLIMIT64 = 302;
const FCNTL = 72;
/** who gets a file's signals: F_SETOWN, F_SETOWN_EX (include/uapi/asm-generic/fcntl.h) */
const SET_OWNER = [8, 15] as const;
const IOCTL = 16;
/** the same by FIOSETOWN and SIOCSPGRP (include/uapi/asm-generic/sockios.h) */
const SET_OWNER_REQUESTS = [0x8901, 0x8902] as const;
const SOCKET = 41;
/** include/linux/socket.h */
const AF_UNIX = 1;
const CLONE = 56;
const CLONE3 = 435;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (linux/sched.h) */
const NAMESPACE_FLAGS = 0x7e02_0000;
/** numbers from here on are those of x32 (arch/x86/include/uapi/asm/unistd.h, __X32_SYSCALL_BIT) */
const X32 = 0x4000_0000;

// codes of linux/bpf_common.h
const LOAD_WORD = 0x20;
const IF_EQUAL = 0x15;
const IF_GREATER_OR_EQUAL = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

/** struct sock_filter: code, jump if true, jump if false, constant */
type Instruction = readonly [number, number, number, number];

const allow: Instruction = [RETURN, 0, 0, SECCOMP_RET_ALLOW];
const fail = (errno: number): Instruction => [RETURN, 0, 0, SECCOMP_RET_ERRNO | errno];

/** Needs no_new_privs. @param self the process, which may send itself signals */
export function refuseCalls(self: number): void {
  const filter = encode(instructions(self));
  const program = new DataView(new ArrayBuffer(16)); // struct sock_fprog: length, then the address
  program.setUint16(0, filter.length / 8, true);
  program.setBigUint64(8, BigInt(addressOf(filter)), true);
  call("filter", "seccomp", SECCOMP_SET_MODE_FILTER, 0, program);
}

function instructions(self: number): Instruction[] {
  const { arch, nr, args } = SECCOMP_DATA.fields;
  const argument: Instruction = [LOAD_WORD, 0, 0, args.offset];
  const second: Instruction = [LOAD_WORD, 0, 0, args.offset + 8];
  return [
    [LOAD_WORD, 0, 0, arch.offset],
    ...[
      [IF_EQUAL, 1, 0, AUDIT_ARCH_X86_64] as const,
      [RETURN, 0, 0, SECCOMP_RET_KILL_PROCESS] as const,
    ],
    [LOAD_WORD, 0, 0, nr.offset],
    ...[[IF_GREATER_OR_EQUAL, 0, 1, X32] as const, fail(ERRNO.ENOSYS)],
    ...REFUSED.flatMap((number) => [[IF_EQUAL, 0, 1, number] as const, fail(ERRNO.EPERM)]),
    // its flags are in memory; a C library goes on with clone(2)
    ...[[IF_EQUAL, 0, 1, CLONE3] as const, fail(ERRNO.ENOSYS)],
    ...[[IF_EQUAL, 0, 4, CLONE] as const, argument, [IF_ANY_BIT, 0, 1, NAMESPACE_FLAGS] as const],
    ...[fail(ERRNO.EPERM), allow],
    // its own limits, by which 0 is itself
    ...[[IF_EQUAL, 0, 5, PRLIMIT64] as const, argument, [IF_EQUAL, 2, 0, 0] as const],
    ...[[IF_EQUAL, 1, 0, self] as const, fail(ERRNO.EPERM), allow],
    ...[[IF_EQUAL, 0, 5, FCNTL] as const, second, [IF_EQUAL, 1, 0, SET_OWNER[0]] as const],
    ...[[IF_EQUAL, 0, 1, SET_OWNER[1]] as const, fail(ERRNO.EPERM), allow],
    ...[[IF_EQUAL, 0, 5, IOCTL] as const, second, [IF_EQUAL, 1, 0, SET_OWNER_REQUESTS[0]] as const],
    ...[[IF_EQUAL, 0, 1, SET_OWNER_REQUESTS[1]] as const, fail(ERRNO.EPERM), allow],
    // its networks are descriptors that it was given
    ...[[IF_EQUAL, 0, 4, SOCKET] as const, argument, [IF_EQUAL, 1, 0, AF_UNIX] as const],
    ...[fail(ERRNO.EACCES), allow],
    ...[[IF_EQUAL, 1, 0, KILL] as const, [IF_EQUAL, 0, 4, TGKILL] as const, argument],
    ...[[IF_EQUAL, 1, 0, self] as const, fail(ERRNO.EPERM), allow],
    allow,
  ];
}

function encode(list: readonly Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(list.length * 8));
  for (const [index, [code, ifTrue, ifFalse, constant]] of list.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, ifTrue);
    view.setUint8(index * 8 + 3, ifFalse);
    view.setUint32(index * 8 + 4, constant, true);
  }
  return new Uint8Array(view.buffer);
}
