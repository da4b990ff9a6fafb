/** A network of several containers: what defines it. */

import { createHash } from "node:crypto";
import type { Subnet } from "../ipv4.ts";

export interface BridgeNetwork {
  /** 64 hexadecimal digits */
  readonly id: string;
  readonly name: string;
  /** name of the bridge device on the host */
  readonly bridge: string;
  readonly subnet: Subnet;
  /** address of the host in it */
  readonly gateway: number;
  /** whether nothing beyond the network is reached from it, nor reaches it */
  readonly internal: boolean;
  /** absent: no IPv6 */
  readonly ipv6?: Ipv6Part;
}

/** What a network with IPv6 has beside its IPv4. */
export interface Ipv6Part {
  /** `address/prefix` */
  readonly subnet: string;
  /** address of the host in it */
  readonly gateway: string;
}

/** Name that every tap device starts with; what follows says whose it is. */
export const TAP_PREFIX = "dvt-";
/** Name of the bridge of Docker's default network. */
export const DEFAULT_BRIDGE = "dvm0";
/** Name that the bridges of users' networks start with. */
const BRIDGE_PREFIX = "dvb-";

/** Bridge device of a user's network; a device's name has at most 15 bytes (linux/if.h IFNAMSIZ). */
export function bridgeName(id: string): string {
  return `${BRIDGE_PREFIX}${id.slice(0, 11)}`;
}

/** Name that the far ends of pairs start with, whose near ends are in bridges. */
const FAR_PREFIX = "dvr-";

/** What stands in a bridge for a card that another of the container's carries. */
export function carriedName(container: string, bridge: string): string {
  return tapName(container, `${bridge}/carried`);
}

/** The other end of the pair. */
export function farName(near: string): string {
  return `${FAR_PREFIX}${near.slice(TAP_PREFIX.length)}`;
}

/** Tap device of a container in a network. */
export function tapName(container: string, bridge: string): string {
  return `${TAP_PREFIX}${createHash("sha256").update(`${container}/${bridge}`).digest("hex").slice(0, 11)}`;
}
