/** Durations as Go's time.ParseDuration takes them: `1h30m`, `500ms`, `1.5s`. */

/** In `nanoseconds`. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g;

/** @returns `nanoseconds` @throws Error with Go's words */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const parts = [...text.matchAll(PART)];
  const whole = parts.map(([part]) => part).join("");
  const length = parts.reduce(
    (sum, [, digits, unit]) => sum + Number(digits) * (UNITS[unit ?? ""] ?? 0),
    0,
  );
  if (whole === "" || whole !== text || length > Number.MAX_SAFE_INTEGER) {
    throw new Error(`time: invalid duration ${JSON.stringify(text)}`);
  }
  return Math.round(length);
}
