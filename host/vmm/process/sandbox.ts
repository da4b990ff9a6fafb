/**
 * What is left to the VMM once its machine is built: its open files, its memory, and the system calls that
 * running the machine takes. All of it stands before the guest's first instruction.
 *
 * Capabilities and Landlock hold for a thread, so each thread that runs our code gives them up itself. The
 * seccomp filter holds for every thread of the process, V8's own helpers included.
 */

import { CAPABILITIES } from "#linux/capability";
import { KVM_RUN } from "../../sys/kvm.ts";
import { dropCapabilities, restrictFiles, setNoNewPrivileges } from "../../sys/privileges.ts";
import { type AllowedCall, installSeccompFilter } from "../../sys/seccomp.ts";
import { SYS } from "../../sys/system-call-numbers.ts";
import { SAVING_REQUESTS } from "../kvm/kernel-state.ts";
import type { VmmShare } from "../kvm/vmm-config.ts";

/**
 * For the device thread: it keeps the files it has, and those beneath the shared folders. For these it also keeps, if
 * it is root's, what it takes to act for all users of the guest.
 */
export function restrictDeviceThread(shares: readonly VmmShare[]): void {
  setNoNewPrivileges();
  restrictFiles(shares);
  const kept = shares.some(({ readOnly }) => !readOnly) ? WRITING : READING;
  dropCapabilities(shares.length > 0 ? kept : []);
}

/** For each thread of a vCPU, which needs no file but those that are open. */
export function restrictVcpuThread(): void {
  setNoNewPrivileges();
  restrictFiles([]);
  dropCapabilities([]);
}

// Files of anyone are read; and changed, given away, or made executable with another's rights.
const { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID } = CAPABILITIES;
const READING = [CAP_DAC_READ_SEARCH];
const WRITING = [CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID];

/**
 * For the process, once: a system call outside the list ends it by SIGSYS. Of KVM there is left to run vCPUs and to
 * read their state; of signals, to interrupt its own threads.
 */
export function restrictProcess(shares: readonly VmmShare[]): void {
  const names = [
    ...MACHINE_CALLS,
    ...(shares.length > 0 ? SHARE_CALLS : []),
    ...(shares.some(({ readOnly }) => !readOnly) ? SHARE_CHANGE_CALLS : []),
  ];
  const calls = names.map((name): AllowedCall => ({ number: SYS[name] }));
  const requests = [KVM_RUN, ...SAVING_REQUESTS];
  const ioctl: AllowedCall = { number: SYS.ioctl, argument: { index: 1, values: requests } };
  const interrupt: AllowedCall = {
    number: SYS.tgkill,
    argument: { index: 0, values: [process.pid] },
  };
  installSeccompFilter([ioctl, interrupt, ...calls, OPEN]);
}

/** Fails as under Landlock: malloc of the C library counts processors in /sys and does as well without. */
const OPEN: AllowedCall = { number: SYS.openat, errno: 13 };

/** The devices' calls, then those that Node and the C library make by themselves. */
const MACHINE_CALLS = [
  ...["read", "write", "readv", "writev", "preadv", "pwritev", "poll", "close"],
  ...["lseek", "fallocate", "ftruncate", "fdatasync", "madvise", "getrandom"],
  ...["accept4", "recvmsg", "futex", "mmap", "mprotect", "munmap", "mremap", "brk"],
  ...["pkey_mprotect", "membarrier", "epoll_wait", "epoll_pwait", "epoll_ctl"],
  ...["clock_gettime", "clock_nanosleep", "nanosleep", "restart_syscall"],
  ...["sched_yield", "getpid", "gettid", "getcpu", "getrusage", "sched_getaffinity"],
  ...["sched_getparam", "sched_setparam", "sched_getscheduler", "sched_setscheduler"],
  ...["rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "exit"],
  ...["exit_group"],
] as const;

/** What a FUSE server asks of files beneath its folder. */
const SHARE_CALLS = [
  ...["openat2", "statx", "readlinkat", "getdents64", "fsync", "syncfs", "fstatfs"],
  ...["fgetxattr", "flistxattr"],
] as const;

/** What it does to them. */
const SHARE_CHANGE_CALLS = [
  ...["mkdirat", "mknodat", "unlinkat", "renameat2", "linkat", "symlinkat", "fchmod"],
  ...["fchmodat", "fchownat", "utimensat", "fsetxattr", "fremovexattr"],
] as const;
