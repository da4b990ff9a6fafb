/** --cpus: a number of CPUs, in billionths, as docker/cli opts.ParseCPUs takes it. */

const NANO = 1_000_000_000n;

/**
 * Parses a decimal (`1.5`) or a fraction (`1/2`) into billionths of a CPU.
 *
 * @throws Error with Docker's words
 */
export function parseCpus(text: string): number {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:\/(\d+))?(?:[eE]([+-]?\d{1,2}))?$/.exec(text);
  const [, sign = "", whole = "", fraction = "", divisor, exponent = "0"] = match ?? [];
  const isFraction = divisor !== undefined;
  const malformed =
    match === null ||
    whole + fraction === "" ||
    (isFraction && (text.includes(".") || /e/i.test(text) || BigInt(divisor) === 0n));
  if (malformed) throw new Error(`failed to parse ${text} as a rational number`);
  const shift = Number(exponent) - fraction.length;
  const numerator = BigInt(whole + fraction) * NANO * (shift > 0 ? 10n ** BigInt(shift) : 1n);
  const denominator = BigInt(divisor ?? 1) * (shift < 0 ? 10n ** BigInt(-shift) : 1n);
  if (numerator % denominator !== 0n) throw new Error("value is too precise");
  const value = Number(numerator / denominator);
  return sign === "-" ? -value : value;
}
