/** --device-read-bps and its like: `DEVICE:RATE` (docker/cli opts/throttledevice.go). */

import { parseMemorySize } from "./memory-size.ts";

export interface DeviceRate {
  readonly path: string;
  /** in `bytes per second`, or `operations per second` */
  readonly rate: number;
}

/** @throws Error with Docker's words */
export function parseDeviceBps(text: string): DeviceRate {
  const { path, value } = split(text);
  try {
    return { path, rate: positive(text, parseMemorySize(value)) };
  } catch {
    throw new Error(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`,
    );
  }
}

/** @throws Error with Docker's words */
export function parseDeviceIops(text: string): DeviceRate {
  const { path, value } = split(text);
  if (/^\d{1,15}$/.test(value) && Number(value) > 0) return { path, rate: Number(value) };
  throw new Error(
    `invalid rate for device: ${text}. The correct format is <device-path>:<number>. Number must be a positive integer`,
  );
}

/** For what may be taken away again: a rate of 0 is none. @throws Error with Docker's words */
export function orNone(parse: (text: string) => DeviceRate): (text: string) => DeviceRate {
  return (text) => {
    const { path, value } = split(text);
    return value === "0" ? { path, rate: 0 } : parse(text);
  };
}

function split(text: string): { readonly path: string; readonly value: string } {
  const colon = text.indexOf(":");
  if (colon < 0 || text.indexOf(":", colon + 1) >= 0) throw new Error(`bad format: ${text}`);
  const path = text.slice(0, colon);
  if (!path.startsWith("/dev/")) throw new Error(`bad format for device path: ${text}`);
  return { path, value: text.slice(colon + 1) };
}

function positive(text: string, rate: number): number {
  if (rate > 0) return rate;
  throw new Error(text);
}
