/** A container in a network, as it is kept on disk while the machine runs. */

import { isIPv4, isIPv6 } from "node:net";
import type { NetworkRate } from "../egress/network-rate.ts";
import type { PublishedPort } from "../prepared-network.ts";
import type { BridgeNetwork } from "./bridge-network.ts";

export const ENDPOINT_VERSION = 1;

export interface Endpoint {
  readonly version: typeof ENDPOINT_VERSION;
  /** id of the container */
  readonly container: string;
  readonly network: BridgeNetwork;
  /** folder of the machine: the endpoint lives as long as it is there */
  readonly runDirectory: string;
  /** the device in the bridge: a tap, or what stands for it of one that another card carries */
  readonly tap: string;
  /** tap of the card that carries its frames; absent: it has its own */
  readonly carrier?: string;
  /** whether the card is in no network any more, and waits for one, or carries others */
  readonly idle?: boolean;
  /** name in the guest */
  readonly interfaceName?: string;
  /** whether the guest's way to the outside is through it */
  readonly isDefaultRoute?: boolean;
  readonly mac: string;
  /** IPv4 address in four decimal parts */
  readonly address: string;
  /** IPv6 address, where its network has any */
  readonly address6?: string;
  /** absent: everything may be reached, as fast as it goes */
  readonly policy?: CardPolicy;
  /** what it is called in the network */
  readonly names: readonly string[];
  readonly ports: readonly PublishedPort[];
}

/** What the host holds a card to. */
export interface CardPolicy {
  /** as `parseEgress` reads it */
  readonly egress?: string;
  readonly rate?: NetworkRate;
}

/** What an older or a foreign file holds is no endpoint. */
export function isEndpoint(value: unknown): value is Endpoint {
  if (typeof value !== "object" || value === null) return false;
  const { version, tap, carrier, mac, address, address6, runDirectory, network } =
    value as Partial<Endpoint>;
  return (
    version === ENDPOINT_VERSION &&
    typeof runDirectory === "string" &&
    /^[\w-]{1,15}$/.test(tap ?? "") &&
    /^[\w-]{1,15}$/.test(carrier ?? "a") &&
    /^[0-9a-f:]{17}$/.test(mac ?? "") &&
    isIPv4(address ?? "") &&
    (address6 === undefined || isIPv6(address6)) &&
    /^[\w-]{1,15}$/.test(network?.bridge ?? "")
  );
}
