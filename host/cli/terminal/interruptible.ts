/** Work that Ctrl-C ends in an orderly way, so that what it began is cleared away. */

import { constants } from "node:os";
import { DvmError } from "../../errors.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs work whose signal is aborted by the first of the ending signals; a second one ends the process as usual. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = (name: (typeof SIGNALS)[number]): void => {
    const exitCode = 128 + constants.signals[name];
    controller.abort(new DvmError("INTERRUPTED", "interrupted", { exitCode }));
  };
  for (const name of SIGNALS) process.once(name, abort);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, abort);
  }
}
