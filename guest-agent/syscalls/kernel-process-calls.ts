/** Processes and signals, by the kernel. */

import { PR_SET_NAME } from "../linux/prctl.ts";
import { RLIM_INFINITY, RLIMIT64 } from "../linux/resource.ts";
import { CLONE_ARGS, CLONE_INTO_CGROUP } from "../linux/sched.ts";
import { SIG_SETMASK, SIGNALS } from "../linux/signal.ts";
import { SFD_CLOEXEC, SFD_NONBLOCK } from "../linux/signalfd.ts";
import { type Kernel, Struct } from "./kernel.ts";
import type { CloneOptions, ProcessCalls, ResourceLimit, WaitResult } from "./syscalls.ts";

/** Size of the kernel's sigset_t, in `bytes`. */
const SIGSET_SIZE = 8;
const UINT64_MAX = 2n ** 64n - 1n;

export function kernelProcessCalls(kernel: Kernel): ProcessCalls {
  return {
    fork: () => kernel.call("fork"),
    clone: (options) => clone(kernel, options),
    unshare: (flags) => void kernel.call("unshare", flags),
    setns: (fd, type) => void kernel.call("setns", fd, type),
    execve: (path, argv, envp) => {
      kernel.about(path, "execve", path, argv, envp);
      throw new Error("execve came back");
    },
    exit: (code) => {
      kernel.call("exit_group", code);
      throw new Error("exit_group came back");
    },
    wait4: (pid, options) => wait4(kernel, pid, options),
    kill: (pid, signal) => void kernel.call("kill", pid, signal),
    getpid: () => kernel.call("getpid"),
    setsid: () => kernel.call("setsid"),
    setpgid: (pid, group) => void kernel.call("setpgid", pid, group),
    pidfd_open: (pid) => kernel.call("pidfd_open", pid, 0),
    pidfd_getfd: (pidfd, fd) => kernel.call("pidfd_getfd", pidfd, fd, 0),
    pidfd_send_signal: (pidfd, signal) =>
      void kernel.call("pidfd_send_signal", pidfd, signal, null, 0),
    sigprocmask: (signals) =>
      void kernel.call("rt_sigprocmask", SIG_SETMASK, signalSet(signals), null, SIGSET_SIZE),
    signalfd: (signals) =>
      kernel.call("signalfd4", -1, signalSet(signals), SIGSET_SIZE, SFD_CLOEXEC | SFD_NONBLOCK),
    prctl: (option, arg2 = 0, arg3 = 0, arg4 = 0, arg5 = 0) =>
      kernel.call("prctl", option, arg2, arg3, arg4, arg5),
    prctlName: (name) => void kernel.about(name, "prctl", PR_SET_NAME, name, 0, 0, 0),
    prlimit64: (pid, resource, limit) => prlimit64(kernel, pid, resource, limit),
    setpriority: (which, who, priority) => void kernel.call("setpriority", which, who, priority),
    umask: (mask) => kernel.call("umask", mask),
  };
}

function clone(kernel: Kernel, options: CloneOptions): number {
  const args = new Struct(CLONE_ARGS).set("exit_signal", SIGNALS.SIGCHLD);
  if (options.cgroup === undefined) args.set("flags", options.flags);
  else args.set("flags", options.flags + CLONE_INTO_CGROUP).set("cgroup", options.cgroup);
  return kernel.call("clone3", args.bytes, args.bytes.length);
}

function wait4(kernel: Kernel, pid: number, options: number): WaitResult | undefined {
  const status = new Int32Array(1);
  const reaped = kernel.call("wait4", pid, status, options, null);
  return reaped === 0 ? undefined : { pid: reaped, status: status[0] ?? 0 };
}

function signalSet(signals: readonly number[]): Uint8Array {
  const set = new Uint8Array(SIGSET_SIZE);
  for (const signal of signals) {
    const bit = signal - 1;
    set[bit >> 3] = (set[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  return set;
}

function prlimit64(
  kernel: Kernel,
  pid: number,
  resource: number,
  limit: ResourceLimit | undefined,
): ResourceLimit {
  const old = new Struct(RLIMIT64);
  const wanted =
    limit === undefined
      ? null
      : new Struct(RLIMIT64).set("rlim_cur", toRlim(limit.soft)).set("rlim_max", toRlim(limit.hard))
          .bytes;
  kernel.call("prlimit64", pid, resource, wanted, old.bytes);
  return { soft: fromRlim(old.get("rlim_cur")), hard: fromRlim(old.get("rlim_max")) };
}

function toRlim(limit: number): bigint {
  return limit === RLIM_INFINITY ? UINT64_MAX : BigInt(limit);
}

function fromRlim(value: number): number {
  return value >= Number(UINT64_MAX) ? RLIM_INFINITY : value;
}
