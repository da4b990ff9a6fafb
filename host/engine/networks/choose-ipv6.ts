/** The IPv6 subnet and gateway of a network: those that are asked for, or its own. */

import { createHash } from "node:crypto";
import type { Ipv6Part } from "../../network/bridge/bridge-network.ts";
import { networkError } from "../../network/errors.ts";
import {
  contains6,
  formatIpv6,
  formatSubnet6,
  overlap6,
  parseIpv6,
  parseSubnet6,
  type Subnet6,
} from "../../network/ipv6.ts";

export interface WantedIpv6 {
  /** `address/prefix`; absent: a unique local one */
  readonly subnet?: string;
  /** absent: the subnet's first address behind its base */
  readonly gateway?: string;
}

/** A subnet needs a gateway and a container beside its base. */
const LONGEST_PREFIX = 126;
const SHORTEST_PREFIX = 16;
/** fd00::/8 (RFC 4193), global id and subnet id being of the network's own id */
const LOCAL = 0xfdn;
const LOCAL_BITS = 56n;
const OWN_PREFIX = 64;

/** @throws DvmError `NETWORK_INVALID`, `SUBNET_OVERLAP` */
export function chooseIpv6(
  wanted: WantedIpv6,
  { id, used }: { readonly id: string; readonly used: readonly Subnet6[] },
): Ipv6Part {
  const subnet = wanted.subnet === undefined ? ownSubnet(id) : readSubnet(wanted.subnet);
  const other = used.find((each) => overlap6(subnet, each));
  if (other !== undefined) {
    throw networkError(
      "SUBNET_OVERLAP",
      `subnet ${formatSubnet6(subnet)} overlaps with ${formatSubnet6(other)}, which this host has in use`,
    );
  }
  const gateway =
    wanted.gateway === undefined ? subnet.base + 1n : readGateway(wanted.gateway, subnet);
  return { subnet: formatSubnet6(subnet), gateway: formatIpv6(gateway) };
}

function ownSubnet(id: string): Subnet6 {
  const random = BigInt(`0x${createHash("sha256").update(id).digest("hex").slice(0, 14)}`);
  return { base: ((LOCAL << LOCAL_BITS) | random) << BigInt(OWN_PREFIX), prefix: OWN_PREFIX };
}

function readSubnet(text: string): Subnet6 {
  const subnet = parseSubnet6(text);
  const fits = subnet && subnet.prefix >= SHORTEST_PREFIX && subnet.prefix <= LONGEST_PREFIX;
  const kind = (subnet?.base ?? 0n) >> 118n;
  // link-local and multicast addresses are nobody's subnet, and in ::/16 are IPv4's and the loopback address
  if (fits && kind !== 0xfe80n >> 6n && kind < 0xff00n >> 6n && subnet.base >> 112n !== 0n)
    return subnet;
  throw networkError("NETWORK_INVALID", `invalid subnet: ${text.slice(0, 80)}`, {
    hint: `an IPv6 subnet with a prefix of ${SHORTEST_PREFIX} to ${LONGEST_PREFIX} bits, such as fd00:1::/64`,
  });
}

function readGateway(text: string, subnet: Subnet6): bigint {
  const gateway = parseIpv6(text);
  if (gateway !== undefined && contains6(subnet, gateway) && gateway !== subnet.base)
    return gateway;
  throw networkError("NETWORK_INVALID", `no matching subnet for gateway ${text.slice(0, 80)}`);
}
