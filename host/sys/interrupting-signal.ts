/** A signal that does nothing but interrupt the system call that a thread waits in, which then fails with EINTR. */

import { Buffer } from "node:buffer";
import { addressOf, foreign } from "./libc.ts";
import { checked } from "./system-error.ts";

// struct sigaction of the C library on x86-64: handler, 128 bytes of mask, flags, restorer.
const SIGACTION_SIZE = 152;

// The structure is copied during the call.
const sigaction = foreign<(number: number, action: Uint8Array, old: null) => number>(
  "int sigaction(int number, const void *action, void *old)",
);

/**
 * From now on signal `number` interrupts. A handler there must be, in machine code, for JavaScript cannot run amid a system
 * call: abs(3) takes the number of a signal and does nothing to anything. Without SA_RESTART no call is begun again.
 */
export function makeInterrupting(number: number): void {
  const action = Buffer.alloc(SIGACTION_SIZE);
  action.writeBigUInt64LE(addressOf("abs"), 0);
  checked("sigaction", `of signal ${number}`, sigaction(number, action, null));
}
