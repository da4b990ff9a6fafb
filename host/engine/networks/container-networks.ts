/** Where a running container is connected, as its users see it. */

import type { PublishedPort } from "../../network/prepared-network.ts";

export interface NetworkAttachment {
  /** name and id of the network */
  readonly name: string;
  readonly id: string;
  /** MAC address of the card in it */
  readonly mac: string;
  /** IPv4 address, and the length of its network's prefix */
  readonly address: string;
  readonly prefix: number;
  readonly gateway: string;
  /** the same of IPv6, where the network has any */
  readonly ipv6?: {
    readonly address: string;
    readonly prefix: number;
    readonly gateway: string;
  };
  /** what the container is called in it */
  readonly names: readonly string[];
}

export interface ContainerNetworks {
  readonly attachments: readonly NetworkAttachment[];
  readonly ports: readonly PublishedPort[];
}
