/** IPv6 addresses and subnets (RFC 4291): parsed to numbers, written as RFC 5952 has them. */

import { isIPv6 } from "node:net";
import { parseIpv4 } from "./ipv4.ts";

/** A subnet: its first address, and the length of its prefix. */
export interface Subnet6 {
  readonly base: bigint;
  readonly prefix: number;
}

const GROUPS = 8;
const BITS = 128;

/** @returns the address as 128 bits; nothing for a text that is no address, or one with a zone */
export function parseIpv6(text: string): bigint | undefined {
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const [head = "", tail] = text.split("::");
  const before = groups(head);
  const after = groups(tail ?? "");
  const zeros = Array.from({ length: GROUPS - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}

/** The longest run of zeros, the first of equals, is left out unless it is one group alone. */
export function formatIpv6(address: bigint): string {
  const all = Array.from({ length: GROUPS }, (_, index) =>
    Number((address >> BigInt(16 * (GROUPS - 1 - index))) & 0xffffn),
  );
  const { start, length } = longestZeros(all);
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return hex(all);
  return `${hex(all.slice(0, start))}::${hex(all.slice(start + length))}`;
}

/** `fd00::/64`; bits beyond the prefix are left out. */
export function parseSubnet6(text: string): Subnet6 | undefined {
  const [address = "", prefix = "", ...rest] = text.split("/");
  const value = parseIpv6(address);
  if (value === undefined || rest.length > 0 || !/^\d{1,3}$/.test(prefix)) return undefined;
  const length = Number(prefix);
  if (length > BITS) return undefined;
  return { base: value - (value % subnetSize6({ base: 0n, prefix: length })), prefix: length };
}

export function formatSubnet6({ base, prefix }: Subnet6): string {
  return `${formatIpv6(base)}/${prefix}`;
}

/** Number of addresses. */
export function subnetSize6({ prefix }: Subnet6): bigint {
  return 1n << BigInt(BITS - prefix);
}

export function contains6(subnet: Subnet6, address: bigint): boolean {
  return address >= subnet.base && address < subnet.base + subnetSize6(subnet);
}

export function overlap6(a: Subnet6, b: Subnet6): boolean {
  return contains6(a, b.base) || contains6(b, a.base);
}

/** The link-local address that a card gives itself (RFC 4291, appendix A). */
export function linkLocalOf(mac: string): string {
  const [first = 0, ...rest] = mac.split(":").map((byte) => Number.parseInt(byte, 16));
  const bytes = [first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  return formatIpv6(bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0xfe80n << 48n));
}

/** The groups of one side of `::`; the last 32 bits may be written as an IPv4 address. */
function groups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const address = parseIpv4(group) ?? 0;
    return [Math.floor(address / 65_536), address % 65_536];
  });
}

function longestZeros(all: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < all.length; start++) {
    let length = 0;
    while (all[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
