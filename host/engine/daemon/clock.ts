/** Moments with nanoseconds, such as logs and events carry. */

const NANOSECONDS = 1_000_000_000;
/** Length of a moment's text, in `bytes`. */
export const MOMENT_LENGTH = "2000-01-01T00:00:00.000000000Z".length;
const LAST_DIGIT = MOMENT_LENGTH - 2;
const [ZERO, NINE] = [0x30, 0x39];

/** The last moment that was given, as seconds since the epoch and nanoseconds of that second. */
const last = { seconds: 0, nanoseconds: 0 };

/** Now, since the epoch, in `nanoseconds`: never the same twice, never earlier than before. */
export function nowNanoseconds(): bigint {
  advanceToNow();
  return BigInt(last.seconds) * BigInt(NANOSECONDS) + BigInt(last.nanoseconds);
}

/**
 * Writes moments into `target` at `at`, one over the other, in RFC 3339 with nine digits of the second: the first is
 * now, each further one a nanosecond later. Nobody else may ask for the time in between.
 *
 * @returns writes the next one
 */
export function momentsInto(target: Uint8Array, at: number): () => void {
  let isFirst = true;
  return () => {
    if (isFirst) advanceToNow();
    else advance();
    if (isFirst || last.nanoseconds === 0) target.set(Buffer.from(momentText(), "latin1"), at);
    else countUp(target, at + LAST_DIGIT);
    isFirst = false;
  };
}

function advanceToNow(): void {
  const now = Date.now();
  const seconds = Math.floor(now / 1000);
  const nanoseconds = (now % 1000) * 1_000_000;
  const isLater =
    seconds > last.seconds || (seconds === last.seconds && nanoseconds > last.nanoseconds);
  if (isLater) Object.assign(last, { seconds, nanoseconds });
  else advance();
}

function advance(): void {
  last.nanoseconds++;
  if (last.nanoseconds < NANOSECONDS) return;
  last.nanoseconds = 0;
  last.seconds++;
}

/** One more, in decimal digits; not all of them are nines. */
function countUp(digits: Uint8Array, end: number): void {
  let at = end;
  for (; digits[at] === NINE; at--) digits[at] = ZERO;
  digits[at] = (digits[at] ?? ZERO) + 1;
}

function momentText(): string {
  const seconds = new Date(last.seconds * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(last.nanoseconds).padStart(9, "0")}Z`;
}

/** What `momentsInto` wrote; undefined for anything that is no moment. */
export function parseNanoseconds(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text);
  const seconds = Date.parse(`${match?.[1]}Z`);
  if (match === null || Number.isNaN(seconds)) return undefined;
  return BigInt(seconds) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}
