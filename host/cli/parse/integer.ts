/** Integers as Go's strconv.ParseInt takes them in Docker's flags. */

/** Largest magnitude that is exact here; Docker's own bound is 2^63, and nothing meaningful lies between. */
const MOST = Number.MAX_SAFE_INTEGER;

/** @throws Error with strconv's words */
export function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw syntax(text);
  const value = Number(text);
  if (Math.abs(value) > MOST) {
    throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return value === 0 ? 0 : value;
}

function syntax(text: string): Error {
  return new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
}
