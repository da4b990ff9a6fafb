/** Signals by name or number, as Docker's signal package takes them. */

import { constants } from "node:os";

/** Numbers of the real-time signals on Linux as the C library counts them (signal(7)). */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** `TERM`, `SIGTERM`, `sigterm`, `15`, `RTMIN+3` → number. @throws Error with Docker's words */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= SIGRTMAX) return number;
    throw invalid(text);
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime !== null) {
    const base = realTime[1] === "MIN" ? SIGRTMIN : SIGRTMAX;
    const number = base + Number(`${realTime[2] ?? "+"}${realTime[3] ?? 0}`);
    if (number >= SIGRTMIN && number <= SIGRTMAX) return number;
    throw invalid(text);
  }
  const known = new Map<string, number>(Object.entries(constants.signals));
  const number = known.get(`SIG${name}`);
  if (number === undefined) throw invalid(text);
  return number;
}

function invalid(text: string): Error {
  return new Error(`invalid signal: ${text}`);
}
