/**
 * What is left to the VMM once its machine is built: its open files, its memory, and the system calls that
 * running the machine takes. All of it stands before the guest's first instruction.
 *
 * Capabilities and Landlock hold for a thread, so each thread that runs our code gives them up itself. The
 * seccomp filter holds for every thread of the process, V8's own helpers included.
 */

import { KVM_RUN } from "../../sys/kvm.ts";
import { dropCapabilities, restrictFiles, setNoNewPrivileges } from "../../sys/privileges.ts";
import { type AllowedCall, installSeccompFilter } from "../../sys/seccomp.ts";
import { SYS } from "../../sys/system-call-numbers.ts";

/** For each thread: the calling one keeps the files it has, and those beneath the shared `folders`. */
export function restrictThread(folders: readonly number[]): void {
  setNoNewPrivileges();
  restrictFiles(folders);
  dropCapabilities();
}

/** For the process, once: a system call outside the list ends it by SIGSYS. */
export function restrictProcess({ shares }: { readonly shares: boolean }): void {
  const names = shares ? [...MACHINE_CALLS, ...SHARE_CALLS] : MACHINE_CALLS;
  const calls = names.map((name): AllowedCall => ({ number: SYS[name] }));
  installSeccompFilter([RUN, ...calls, OPEN]);
}

type CallName = keyof typeof SYS;

/** ioctl(2), for KVM_RUN alone. */
const RUN: AllowedCall = { number: SYS.ioctl, argument: { index: 1, value: KVM_RUN } };

/** Fails as under Landlock: malloc of the C library counts processors in /sys and does as well without. */
const OPEN: AllowedCall = { number: SYS.openat, errno: 13 };

/** The devices' calls, then those that Node and the C library make by themselves. */
const MACHINE_CALLS: readonly CallName[] = [
  "read",
  "write",
  "readv",
  "writev",
  "preadv",
  "pwritev",
  "poll",
  "close",
  "lseek",
  "fallocate",
  "ftruncate",
  "fdatasync",
  "madvise",
  "getrandom",
  "accept4",
  "futex",
  "mmap",
  "mprotect",
  "munmap",
  "mremap",
  "brk",
  "pkey_mprotect",
  "membarrier",
  "epoll_wait",
  "epoll_pwait",
  "epoll_ctl",
  "clock_gettime",
  "clock_nanosleep",
  "nanosleep",
  "restart_syscall",
  "sched_yield",
  "getpid",
  "gettid",
  "getcpu",
  "getrusage",
  "sched_getaffinity",
  "sched_getparam",
  "sched_setparam",
  "sched_getscheduler",
  "sched_setscheduler",
  "rt_sigaction",
  "rt_sigprocmask",
  "rt_sigreturn",
  "sigaltstack",
  "exit",
  "exit_group",
];

/** What a FUSE server does to files beneath its folder. */
const SHARE_CALLS: readonly CallName[] = [
  "openat2",
  "statx",
  "readlinkat",
  "getdents64",
  "mkdirat",
  "mknodat",
  "unlinkat",
  "renameat2",
  "linkat",
  "symlinkat",
  "fchmod",
  "fchown",
  "fchmodat",
  "fchownat",
  "utimensat",
  "fsync",
  "fstatfs",
];
