/** A container in a network, as it is kept on disk while the machine runs. */

import { isIPv4 } from "node:net";
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
  readonly tap: string;
  readonly mac: string;
  /** IPv4 address in four decimal parts */
  readonly address: string;
  /** what it is called in the network */
  readonly names: readonly string[];
  readonly ports: readonly PublishedPort[];
}

/** What an older or a foreign file holds is no endpoint. */
export function isEndpoint(value: unknown): value is Endpoint {
  if (typeof value !== "object" || value === null) return false;
  const { version, tap, mac, address, runDirectory, network } = value as Partial<Endpoint>;
  return (
    version === ENDPOINT_VERSION &&
    typeof runDirectory === "string" &&
    /^[\w-]{1,15}$/.test(tap ?? "") &&
    /^[0-9a-f:]{17}$/.test(mac ?? "") &&
    isIPv4(address ?? "") &&
    /^[\w-]{1,15}$/.test(network?.bridge ?? "")
  );
}
