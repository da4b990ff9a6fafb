/**
 * Which addresses are the public Internet's, and which are never reached but by their own name: the registries of
 * special-purpose addresses (RFC 6890, IANA), and the metadata services of clouds, which hand out credentials.
 */

import { contains, parseIpv4, parseSubnet } from "../ipv4.ts";
import { contains6, parseIpv6, parseSubnet6 } from "../ipv6.ts";

/** Link-local and loopback addresses and metadata services: a wider range does not include them. */
export const GUARDED: Readonly<Record<4 | 6, readonly string[]>> = {
  4: [
    "0.0.0.0/8",
    "127.0.0.0/8",
    // link-local (RFC 3927), with the metadata services of most clouds at 169.254.169.254
    "169.254.0.0/16",
    // metadata of Alibaba, Oracle and Azure
    "100.100.100.200/32",
    "192.0.0.192/32",
    "168.63.129.16/32",
  ],
  6: [
    // unspecified, loopback, and IPv4 in other clothes
    "::/96",
    "::ffff:0:0/96",
    "fe80::/10",
    // metadata of Amazon and Google
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
  ],
};

/** What is not the public Internet's, beside what is guarded. */
export const PRIVATE: Readonly<Record<4 | 6, readonly string[]>> = {
  4: [
    "10.0.0.0/8",
    // behind a carrier's NAT (RFC 6598)
    "100.64.0.0/10",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    // benchmarks (RFC 2544)
    "198.18.0.0/15",
    // multicast, reserved, broadcast
    "224.0.0.0/3",
  ],
  6: [
    // IPv4 addresses in IPv6: NAT64 (RFC 6052, RFC 8215), Teredo, 6to4
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2001::/32",
    "2002::/16",
    // of one's own (RFC 4193), site-local, multicast
    "fc00::/7",
    "fec0::/10",
    "ff00::/8",
  ],
};

/** All that is public lies in here (RFC 4291 §2.4, IANA's allocations). */
export const PUBLIC6 = "2000::/3";

export function isPublic(address: string): boolean {
  const family = address.includes(":") ? 6 : 4;
  const isOneOf = (ranges: readonly string[]) => ranges.some((range) => isWithin(address, range));
  if (isOneOf(GUARDED[family]) || isOneOf(PRIVATE[family])) return false;
  return family === 4 ? parseIpv4(address) !== undefined : isWithin(address, PUBLIC6);
}

/** Whether a range, or an address, lies in one that is guarded, and so is meant by who names it. */
export function isGuarded(range: string): boolean {
  const family = range.includes(":") ? 6 : 4;
  const [address = "", prefix = family === 4 ? "32" : "128"] = range.split("/");
  return GUARDED[family].some(
    (guarded) =>
      isWithin(address, guarded) &&
      Number(prefix) >= Number(guarded.slice(guarded.indexOf("/") + 1)),
  );
}

/** Whether an address lies in a range of its family. */
export function isWithin(address: string, range: string): boolean {
  if (!address.includes(":")) {
    const subnet = parseSubnet(range);
    const value = parseIpv4(address);
    return subnet !== undefined && value !== undefined && contains(subnet, value);
  }
  const subnet = parseSubnet6(range);
  const value = parseIpv6(address);
  return subnet !== undefined && value !== undefined && contains6(subnet, value);
}
