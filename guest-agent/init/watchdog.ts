/**
 * The machine's watchdog, where it has one: it ends a guest that no longer turns (Linux
 * Documentation/watchdog/watchdog-api.rst). It is started when the agent waits for its next work, and told every now and
 * then that the agent lives.
 */

import { readText } from "../container/file-access.ts";
import { encodeText } from "../container/text.ts";
import { O_CLOEXEC, O_WRONLY } from "../linux/fcntl.ts";
import { CLOCK_MONOTONIC } from "../linux/time.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";

const DEVICE = "/dev/watchdog";
/** The driver cannot tell whether the hardware is there: the VMM that has it says so on the kernel command line. */
const WORD = "ib700wdt.timeout=";
/** A third of the hardware's longest time, in `milliseconds`. */
const INTERVAL = 10_000;
/** Without this before it is closed, the driver leaves the watchdog running. */
const MAGIC_CLOSE = "V";

export class Watchdog {
  readonly #sys: Syscalls;
  readonly #exists: boolean;
  readonly #now: () => number;
  #fd: Fd | undefined;
  /** when it was last told, in `milliseconds` of its clock */
  #told = 0;

  constructor(
    sys: Syscalls,
    // the interpreter has no Date
    now: () => number = () => sys.clock_gettime(CLOCK_MONOTONIC).seconds * 1000,
  ) {
    this.#sys = sys;
    this.#now = now;
    this.#exists = readText(sys, "/proc/cmdline").includes(WORD);
  }

  /** Tells it that the agent lives, if it is time to. @returns when to come again, in `milliseconds`; or never */
  tell(): number | undefined {
    if (!this.#exists) return undefined;
    const since = this.#now() - this.#told;
    if (this.#fd !== undefined && since >= 0 && since < INTERVAL) return INTERVAL - since;
    if (this.#fd === undefined) this.#start();
    else this.#sys.write(this.#fd, encodeText("\0"));
    this.#told = this.#now();
    return this.#fd === undefined ? undefined : INTERVAL;
  }

  /** Stops it until it is told again: before work that takes as long as a disk may. */
  rest(): void {
    if (this.#fd === undefined) return;
    this.#sys.write(this.#fd, encodeText(MAGIC_CLOSE));
    this.#sys.close(this.#fd);
    this.#fd = undefined;
  }

  #start(): void {
    try {
      this.#fd = this.#sys.open(DEVICE, O_WRONLY | O_CLOEXEC);
    } catch (error) {
      if (!isSyscallError(error, "ENOENT", "ENXIO", "ENODEV")) throw error;
    }
  }
}
