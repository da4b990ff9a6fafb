/** Moments with nanoseconds, such as logs and events carry. */

const NANOSECONDS = 1_000_000_000n;

let last = 0n;

/** Now, since the epoch, in `nanoseconds`: never the same twice, never earlier than before. */
export function nowNanoseconds(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n;
  last = now > last ? now : last + 1n;
  return last;
}

/** Consecutive moments from now on in RFC 3339 with nine digits of the second. */
export function formattedNanoseconds(count: number): () => string {
  const first = nowNanoseconds();
  last += BigInt(count);
  let second = first / NANOSECONDS;
  let digits = Number(first % NANOSECONDS);
  let prefix = secondsText(second);
  return () => {
    if (digits === 1e9) {
      second += 1n;
      prefix = secondsText(second);
      digits = 0;
    }
    return `${prefix}.${String(digits++).padStart(9, "0")}Z`;
  };
}

/** What `formattedNanoseconds` gave; undefined for anything that is no moment. */
export function parseNanoseconds(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text);
  const seconds = Date.parse(`${match?.[1]}Z`);
  if (match === null || Number.isNaN(seconds)) return undefined;
  return BigInt(seconds) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

function secondsText(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
}
