/** MAC addresses of a machine's network cards. */

import { createHash } from "node:crypto";

/** Locally administered and unicast: the second-least bit of the first byte is set, the least is not (IEEE 802). */
const LOCAL_UNICAST = 0x02;

/** An address for the card of a container: the same whenever both are the same. */
export function macAddress(container: string, network: string): string {
  const digest = createHash("sha256").update(`${container}/${network}`).digest();
  return [LOCAL_UNICAST, ...digest.subarray(0, 5)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join(":");
}

/**
 * An address for the card of whoever has an IPv4 address in a network of several: who comes later to the IPv4 address
 * has the same card, so that no neighbour asks for the one before.
 */
export function macOfAddress(address: string): string {
  const digits = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return ["02", "64", ...digits].join(":");
}
