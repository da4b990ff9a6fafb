/** Which address a container gets, and which subnet a network. */

import { networkError } from "../errors.ts";
import {
  contains,
  formatIpv4,
  formatSubnet,
  overlap,
  parseIpv4,
  type Subnet,
  subnetSize,
} from "../ipv4.ts";
import {
  contains6,
  formatIpv6,
  parseIpv6,
  parseSubnet6,
  type Subnet6,
  subnetSize6,
} from "../ipv6.ts";
import type { BridgeNetwork } from "./bridge-network.ts";

export interface AddressRequest {
  readonly network: BridgeNetwork;
  /** addresses that others have */
  readonly taken: ReadonlySet<string>;
  /** the address that it must be; absent: the lowest that is free */
  readonly wanted?: string;
}

/** The subnets that networks without one of their own are given, in order: private ones (RFC 1918). */
export function subnetPool(): Subnet[] {
  const sixteens = Array.from({ length: 12 }, (_, index) => `172.${31 - index}.0.0/16`);
  const twenties = Array.from({ length: 16 }, (_, index) => `192.168.${index * 16}.0/20`);
  return [...sixteens, ...twenties].map((text) => {
    const [address = "", prefix = ""] = text.split("/");
    return { base: parseIpv4(address) ?? 0, prefix: Number(prefix) };
  });
}

/** @throws DvmError `POOL_EXHAUSTED` when each of the pool overlaps with one that is in use */
export function chooseSubnet(
  used: readonly Subnet[],
  pool: readonly Subnet[] = subnetPool(),
): Subnet {
  const free = pool.find((candidate) => !used.some((other) => overlap(candidate, other)));
  if (free !== undefined) return free;
  throw networkError(
    "POOL_EXHAUSTED",
    "every subnet of the default pools overlaps with one that this host has in use",
    { hint: "name one with --subnet" },
  );
}

/** @throws DvmError `POOL_EXHAUSTED`, `ADDRESS_IN_USE`, `NETWORK_INVALID` */
export function chooseAddress({ network, taken, wanted }: AddressRequest): string {
  const { subnet, gateway } = network;
  const isUsable = (address: number) =>
    contains(subnet, address) &&
    address !== gateway &&
    address !== subnet.base &&
    address !== subnet.base + subnetSize(subnet) - 1;
  if (wanted !== undefined) {
    const address = parseIpv4(wanted);
    if (address === undefined || !isUsable(address)) {
      throw networkError(
        "NETWORK_INVALID",
        `no configured subnet contains the address ${wanted}: network ${network.name} has ${formatSubnet(subnet)}`,
      );
    }
    if (taken.has(wanted)) throw networkError("ADDRESS_IN_USE", `address ${wanted} is in use`);
    return wanted;
  }
  for (let address = subnet.base + 1; contains(subnet, address); address++) {
    if (isUsable(address) && !taken.has(formatIpv4(address))) return formatIpv4(address);
  }
  throw networkError(
    "POOL_EXHAUSTED",
    `network ${network.name} has no free address left in ${formatSubnet(subnet)}`,
  );
}

/**
 * An address of the network's IPv6 subnet.
 *
 * @returns nothing for a network without IPv6
 * @throws DvmError `POOL_EXHAUSTED`, `ADDRESS_IN_USE`, `NETWORK_INVALID`
 */
export function chooseAddress6({ network, taken, wanted }: AddressRequest): string | undefined {
  const { ipv6, name } = network;
  const subnet = ipv6 === undefined ? undefined : parseSubnet6(ipv6.subnet);
  if (subnet === undefined || ipv6 === undefined) {
    if (wanted === undefined) return undefined;
    throw networkError("NETWORK_INVALID", `network ${name} has no IPv6 for the address ${wanted}`, {
      hint: "dvm network create --ipv6",
    });
  }
  const isUsable = (address: bigint) =>
    contains6(subnet, address) && address !== subnet.base && formatIpv6(address) !== ipv6.gateway;
  if (wanted !== undefined) {
    const address = parseIpv6(wanted);
    if (address === undefined || !isUsable(address)) {
      throw networkError(
        "NETWORK_INVALID",
        `no configured subnet contains the address ${wanted}: network ${name} has ${ipv6.subnet}`,
      );
    }
    const text = formatIpv6(address);
    if (taken.has(text)) throw networkError("ADDRESS_IN_USE", `address ${text} is in use`);
    return text;
  }
  const last = lastOf(subnet, taken.size);
  for (let address = subnet.base + 1n; address <= last; address++) {
    if (isUsable(address) && !taken.has(formatIpv6(address))) return formatIpv6(address);
  }
  throw networkError(
    "POOL_EXHAUSTED",
    `network ${name} has no free address left in ${ipv6.subnet}`,
  );
}

/** The last address that there is any need to try: among so many one is neither taken nor the gateway's. */
function lastOf(subnet: Subnet6, taken: number): bigint {
  const end = subnet.base + subnetSize6(subnet) - 1n;
  const enough = subnet.base + BigInt(taken) + 2n;
  return enough < end ? enough : end;
}
