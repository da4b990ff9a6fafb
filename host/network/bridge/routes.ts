/** The kernel's table of IPv4 routes, as /proc/net/route tells it (net/ipv4/fib_trie.c, fib_route_seq_show). */

import type { Subnet } from "../ipv4.ts";

/** Every destination but the default one. @param except name of a device whose routes are left out */
export function parseRoutes(text: string, except: string): Subnet[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.split("\t");
      const [device, destination = ""] = fields;
      const [base, mask] = [destination, fields[MASK] ?? ""].map(parseAddress);
      if (device === except || base === undefined || mask === undefined || mask === 0) return [];
      return [{ base, prefix: Math.clz32(~mask) }];
    });
}

/** place of the mask in a line */
const MASK = 7;

/** Eight digits of the address as a number of the machine, whose lowest byte is the address's first. */
function parseAddress(text: string): number | undefined {
  if (!/^[0-9A-F]{8}$/.test(text)) return undefined;
  return Buffer.from(text, "hex").readUInt32LE();
}
