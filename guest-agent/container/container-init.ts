/** Process 1 of a container that asks for one (`--init`): reaps orphans and hands signals on. */

import { CAPABILITIES } from "../linux/capability.ts";
import { POLLIN } from "../linux/poll.ts";
import { SIGNALFD_SIGINFO, SIGNALS } from "../linux/signal.ts";
import { exitCodeOf, WNOHANG } from "../linux/wait.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";

/** highest signal number (asm/signal.h _NSIG) */
const LAST_SIGNAL = 64;

/** What the kernel sends for a fault of init's own, and what nobody can block. */
const OWN: ReadonlySet<number> = new Set([
  SIGNALS.SIGILL,
  SIGNALS.SIGTRAP,
  SIGNALS.SIGABRT,
  SIGNALS.SIGBUS,
  SIGNALS.SIGFPE,
  SIGNALS.SIGKILL,
  SIGNALS.SIGSEGV,
  SIGNALS.SIGSTOP,
  SIGNALS.SIGSYS,
]);

/**
 * Forks: the parent stays as process 1 and never returns, the child returns to become the container's command.
 *
 * The parent ends with the command's exit code, and with it, by the kernel, all that the command left behind.
 */
export function splitOffInit(sys: Syscalls): void {
  const signals = Array.from({ length: LAST_SIGNAL }, (_, index) => index + 1).filter(
    (signal) => !OWN.has(signal),
  );
  // Blocked before there is a child, so that its end and signals for it wait in the descriptor.
  sys.sigprocmask(signals);
  const command = sys.fork();
  if (command !== 0) runInit(sys, sys.signalfd(signals), command);
}

function runInit(sys: Syscalls, signals: Fd, command: number): never {
  // Among what closes are the command's streams and the report, whose ends must be the command's alone.
  if (signals > 0) sys.close_range(0, signals - 1, 0);
  sys.close_range(signals + 1, 0xffff_ffff, 0);
  sys.prctlName("init");
  const kill = 1n << BigInt(CAPABILITIES.CAP_KILL);
  sys.capset({ effective: kill, permitted: kill, inheritable: 0n });
  for (;;) {
    const signal = nextSignal(sys, signals);
    if (signal === SIGNALS.SIGCHLD) reap(sys, command);
    else if (signal !== undefined) handOn(sys, command, signal);
  }
}

function nextSignal(sys: Syscalls, signals: Fd): number | undefined {
  sys.poll([{ fd: signals, events: POLLIN }]);
  const info = new Uint8Array(SIGNALFD_SIGINFO.size);
  try {
    sys.read(signals, info);
  } catch (error) {
    if (isSyscallError(error, "EAGAIN", "EINTR")) return undefined;
    throw error;
  }
  return new DataView(info.buffer).getUint32(SIGNALFD_SIGINFO.fields.ssi_signo.offset, true);
}

/** One SIGCHLD may stand for many ended children. */
function reap(sys: Syscalls, command: number): void {
  for (;;) {
    const ended = sys.wait4(-1, WNOHANG);
    if (ended === undefined) return;
    if (ended.pid === command) sys.exit(exitCodeOf(ended.status));
  }
}

function handOn(sys: Syscalls, command: number, signal: number): void {
  try {
    sys.kill(command, signal);
  } catch (error) {
    if (!isSyscallError(error, "ESRCH")) throw error;
  }
}
