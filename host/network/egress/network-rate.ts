/** How fast a container's network may be, in each direction. */

import { networkError } from "../errors.ts";

export interface NetworkRate {
  /** to the container, in `bits per second`; absent: as fast as it goes */
  readonly in?: number;
  /** from the container, in `bits per second`; absent: as fast as it goes */
  readonly out?: number;
}

const UNITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };
/** A rate has to let the largest frames of a card through, now and then. */
const LEAST = 64e3;
const MOST = 100e9;

/**
 * `RATE` for both directions, or `in=RATE,out=RATE`, or one of them; a rate has a unit of `bit`, `kbit`, `mbit` or
 * `gbit`, thousands of each other, per second.
 *
 * @throws DvmError `NETWORK_INVALID`
 */
export function parseNetworkRate(text: string): NetworkRate {
  if (!text.includes("=")) {
    const rate = parseRate(text, text);
    return { in: rate, out: rate };
  }
  const rates: { in?: number; out?: number } = {};
  for (const part of text.split(",")) {
    const [, direction, rate = ""] = /^(in|out)=(.*)$/.exec(part.trim()) ?? [];
    if ((direction !== "in" && direction !== "out") || rates[direction] !== undefined) {
      throw invalid(text);
    }
    rates[direction] = parseRate(rate, text);
  }
  return rates;
}

function parseRate(text: string, whole: string): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?)([a-z]+)$/i.exec(text.trim()) ?? [];
  const rate = Math.round(Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN));
  if (digits === "" || !(rate >= LEAST && rate <= MOST)) throw invalid(whole);
  return rate;
}

function invalid(text: string): Error {
  return networkError(
    "NETWORK_INVALID",
    `invalid network rate: ${JSON.stringify(text.slice(0, 100))}`,
    {
      hint: "--network-rate 10mbit, or in=100mbit,out=10mbit: 64kbit to 100gbit, in bits per second",
    },
  );
}
