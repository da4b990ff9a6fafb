/** Signals as one more descriptor of the event loop. */

import { POLLIN } from "../linux/poll.ts";
import { SIGNALFD_SIGINFO, SIGNALS } from "../linux/signal.ts";
import { WNOHANG } from "../linux/wait.ts";
import { isSyscallError, type Syscalls, type WaitResult } from "../syscalls/syscalls.ts";
import type { EventLoop } from "./event-loop.ts";

export interface SignalHandlers {
  /** a child of the agent ended, its own or an orphan that PID 1 inherited */
  readonly onChild: (ended: WaitResult) => void;
  /** the driver of the agent's port has news */
  readonly onPort: () => void;
}

/** Blocks what the agent handles and hands it on from the loop. */
export function handleSignals(sys: Syscalls, loop: EventLoop, handlers: SignalHandlers): void {
  // SIGPIPE is of no use to the agent: write(2) says EPIPE.
  sys.sigprocmask([SIGNALS.SIGCHLD, SIGNALS.SIGIO, SIGNALS.SIGPIPE]);
  const fd = sys.signalfd([SIGNALS.SIGCHLD, SIGNALS.SIGIO]);
  const info = new Uint8Array(SIGNALFD_SIGINFO.size);
  loop.watch(fd, POLLIN, () => {
    sys.read(fd, info);
    const signal = info[SIGNALFD_SIGINFO.fields.ssi_signo.offset];
    if (signal === SIGNALS.SIGCHLD) reap(sys, handlers.onChild);
    else handlers.onPort();
  });
}

/** Signals of one kind merge: there may be more children to reap than signals came. */
function reap(sys: Syscalls, onChild: (ended: WaitResult) => void): void {
  try {
    for (;;) {
      const ended = sys.wait4(-1, WNOHANG);
      if (ended === undefined) return;
      onChild(ended);
    }
  } catch (error) {
    if (!isSyscallError(error, "ECHILD")) throw error;
  }
}
