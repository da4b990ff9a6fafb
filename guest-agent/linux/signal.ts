/** Signal numbers (arch/x86/include/uapi/asm/signal.h). */

import type { StructLayout } from "./layout.ts";

export const SIG_BLOCK = 0;
export const SIG_UNBLOCK = 1;
export const SIG_SETMASK = 2;

export const SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGIOT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPOLL: 29,
  SIGPWR: 30,
  SIGSYS: 31,
  SIGRTMIN: 32,
} as const;

/** What reading a signalfd(2) yields (include/uapi/linux/signalfd.h). */
export const SIGNALFD_SIGINFO = {
  name: "struct signalfd_siginfo",
  headers: ["linux/signalfd.h"],
  size: 128,
  fields: {
    ssi_signo: { offset: 0, size: 4 },
    ssi_pid: { offset: 12, size: 4 },
  },
} as const satisfies StructLayout;
