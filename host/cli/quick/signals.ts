/** Signals as something to read: blocked, and told by a descriptor (signalfd(2)). */

type SignalName = (typeof FORWARDED)[number];

import { POLLIN } from "#linux/poll";
import { SIG_SETMASK, SIGNALS } from "#linux/signal";
import { SFD_CLOEXEC, SFD_NONBLOCK } from "#linux/signalfd";
import { attempt, call } from "../../sys/quickjs/calls.ts";
import { FORWARDED } from "../terminal/signal-policy.ts";
import type { Watched } from "./event-loop.ts";

/** Of the kernel's signal set, and of struct signalfd_siginfo, in `bytes`. */
const [SET, INFO] = [8, 128];
/** The kernel's struct sigaction (include/linux/signal_types.h): handler, flags, restorer, mask; and the handler to ignore. */
const [SIGACTION, SIG_IGN] = [32, 1n] as const;

export class Signals {
  readonly #before = new Uint8Array(SET);
  readonly #fd: number;

  /** Blocks those that are handed on. */
  constructor() {
    const forwarded = setOf(FORWARDED.map((name) => SIGNALS[name]));
    call("signals", "rt_sigprocmask", SIG_SETMASK, forwarded, this.#before, SET);
    this.#fd = call("signals", "signalfd4", -1, forwarded, SET, SFD_CLOEXEC | SFD_NONBLOCK);
  }

  /** Of a reader that is gone a write tells by its error; Node has it so, too, and it stays so for the next program. */
  static ignoreBrokenPipes(): void {
    const action = new DataView(new ArrayBuffer(SIGACTION));
    action.setBigUint64(0, SIG_IGN, true);
    call("SIGPIPE", "rt_sigaction", SIGNALS.SIGPIPE, action, null, SET);
  }

  /** For the event loop. */
  watched(onSignal: (name: SignalName) => void): Watched {
    return { fd: this.#fd, events: POLLIN, onReady: () => this.#read().forEach(onSignal) };
  }

  /**
   * Lets signals come as before.
   *
   * @returns numbers of those that have come and were not told
   */
  release(): number[] {
    const names = this.#read();
    call("signals", "rt_sigprocmask", SIG_SETMASK, this.#before, null, SET);
    return names.map((name) => SIGNALS[name]);
  }

  #read(): SignalName[] {
    const names: SignalName[] = [];
    const info = new Uint8Array(INFO);
    while (attempt("read", this.#fd, info, INFO) === INFO) {
      const number = new DataView(info.buffer).getUint32(0, true);
      const name = FORWARDED.find((each) => SIGNALS[each] === number);
      if (name !== undefined) names.push(name);
    }
    return names;
  }
}

function setOf(numbers: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(SET));
  let set = 0n;
  for (const number of numbers) set |= 1n << BigInt(number - 1);
  view.setBigUint64(0, set, true);
  return new Uint8Array(view.buffer);
}
