/** Moments as Docker's daemon takes them: seconds since the epoch, RFC 3339, or how long ago (moby api/types/time). */

import { apiError } from "./errors.ts";

/** Units of Go's durations, in `nanoseconds`. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/**
 * @param now since the epoch, in `milliseconds`
 * @returns since the epoch, in `nanoseconds`; `undefined` for nothing and for 0
 * @throws DvmError `BAD_REQUEST`
 */
export function parseTime(name: string, text: string, now: number): bigint | undefined {
  if (text === "" || text === "0") return undefined;
  const time = epochTime(text) ?? ago(text, now) ?? dateTime(text);
  if (time === undefined) {
    const excerpt = JSON.stringify(text.slice(0, 100));
    throw apiError("BAD_REQUEST", `invalid value for ${name}: ${excerpt} is no time`);
  }
  return time;
}

function epochTime(text: string): bigint | undefined {
  const match = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null) return undefined;
  const [, seconds = "0", fraction = ""] = match;
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** `1h30m` before now. */
function ago(text: string, now: number): bigint | undefined {
  if (text.length > 64 || !/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let length = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    length += Number(digits) * (UNITS[unit ?? ""] ?? 0);
  }
  if (!Number.isFinite(length) || length > now * 1e6) return undefined;
  return BigInt(now) * 1_000_000n - BigInt(Math.trunc(length));
}

/** RFC 3339, whole or without its time or zone, which is taken for UTC. */
function dateTime(text: string): bigint | undefined {
  const match =
    /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  if (match === null) return undefined;
  const [, date, time = "00:00:00", fraction = "", zone = "Z"] = match;
  const milliseconds = Date.parse(`${date}T${time.length === 5 ? `${time}:00` : time}${zone}`);
  if (Number.isNaN(milliseconds) || milliseconds < 0) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** RFC 3339 with nine decimals, in UTC. */
export function nanosecondTime(time: bigint): string {
  const seconds = new Date(Number(time / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(time % 1_000_000_000n).padStart(9, "0")}Z`;
}
