/** Tries again what may pass: exponential backoff with jitter, and the server's own wish before it. */
import { setTimeout } from "node:timers/promises";
import { imageError } from "../errors.ts";

/** Most tries of one step. */
export const MAX_TRIES = 6;
const FIRST_DELAY = 250;
const LONGEST_DELAY = 15_000;
/** Longest wait that a server may ask for, in `milliseconds`; whoever asks for more is told to the user. */
export const LONGEST_WISH = 120_000;

export type Sleep = (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;

/** Waits; the signal ends it with LOAD_CANCELLED. */
export const sleep: Sleep = async (milliseconds, signal) => {
  try {
    await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (cause) {
    throw imageError("LOAD_CANCELLED", "cancelled", { cause });
  }
};

/** Time to wait after try number `tries`, counted from 1, in `milliseconds`: up to twice as long each time. */
export function backoff(tries: number, random: () => number = Math.random): number {
  const most = Math.min(FIRST_DELAY * 2 ** (tries - 1), LONGEST_DELAY);
  return most / 2 + (random() * most) / 2;
}

/** Reads `Retry-After`: seconds or a date (RFC 9110 §10.2.3). @returns `milliseconds` from `now` */
export function retryAfter(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^[0-9]{1,9}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(date - now, 0);
}

/** Whether an answer may be another one the next time. */
export function isPassingStatus(status: number): boolean {
  return [408, 425, 429, 500, 502, 503, 504].includes(status);
}
