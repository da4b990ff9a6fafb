/** Signals by name or number (moby/sys signal). */

import { constants } from "node:os";
import { apiError } from "./errors.ts";

/** The last signal of Linux. */
const MAX_SIGNAL = 64;
/** The first and the last of the real-time signals as glibc counts them. */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** @returns 1 to 64 @throws DvmError `BAD_REQUEST` with Docker's words */
export function signalNumber(text: string): number {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : byName(text.toUpperCase());
  if (number === undefined || number < 1 || number > MAX_SIGNAL) {
    throw apiError("BAD_REQUEST", `invalid signal: ${text.slice(0, 100)}`);
  }
  return number;
}

function byName(name: string): number | undefined {
  const full = name.startsWith("SIG") ? name : `SIG${name}`;
  const known: Readonly<Record<string, number>> = constants.signals;
  if (Object.hasOwn(known, full)) return known[full];
  const match = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(full);
  if (match === null) return undefined;
  const [, base, sign, digits = "0"] = match;
  if ((base === "MIN") === (sign === "-") && sign !== undefined) return undefined;
  const number = (base === "MIN" ? SIGRTMIN : SIGRTMAX) + Number(digits) * (sign === "-" ? -1 : 1);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}
