/** Sizes of memory and disks: `512m`, `1.5g`, `1024`; powers of 1024, as docker/go-units RAMInBytes has them. */

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};

/**
 * Parses a size into `bytes`.
 *
 * @example parseMemorySize("1.5g") // 1610612736
 * @throws Error with Docker's words
 */
export function parseMemorySize(text: string): number {
  const match = /^(\d+(?:\.\d*)?|\.\d+) ?([A-Za-z]*)$/.exec(text);
  if (match === null) throw new Error(`invalid size: '${text}'`);
  const suffix = (match[2] ?? "").toLowerCase();
  const unit = /^[bkmgtp]?$/.test(suffix) ? suffix : /^([kmgtp])i?b$/.exec(suffix)?.[1];
  const factor = unit === undefined ? undefined : UNITS[unit];
  if (factor === undefined) throw new Error(`invalid suffix: '${suffix}'`);
  const bytes = Math.trunc(Number(match[1]) * factor);
  if (!Number.isSafeInteger(bytes)) throw new Error(`invalid size: '${text}'`);
  return bytes;
}

/** As `parseMemorySize`, and `-1` for no limit: what --memory-swap takes. @throws Error with Docker's words */
export function parseSwapSize(text: string): number {
  return text === "-1" ? -1 : parseMemorySize(text);
}
