/** How a container wants to be connected. */

import type { PortRequest } from "../../network/port-mapping.ts";

export interface NetworkSettings {
  /** further networks of the container's, by name or id */
  readonly further?: readonly string[];
  /** IPv4 addresses of the container in further networks, by the networks' names */
  readonly furtherIps?: Readonly<Record<string, string>>;
  /** ports that the host is to have */
  readonly ports?: readonly PortRequest[];
  /** whether every port that the image or the user exposes is published on a free one */
  readonly publishAll?: boolean;
  /** `port/protocol` that the user exposes beside the image */
  readonly exposed?: readonly string[];
  /** MAC address of the container's card, lower case with colons */
  readonly mac?: string;
  /** IPv4 address of the container in its network */
  readonly ip?: string;
  /** IPv6 address of the container in its network */
  readonly ip6?: string;
  /** what the container may reach by itself, as `parseEgress` reads it; absent: everything */
  readonly egress?: string;
  /** how fast its network is at most, as `parseNetworkRate` reads it; absent: as fast as it goes */
  readonly rate?: string;
  /** names of the container in its network, beside its own */
  readonly aliases?: readonly string[];
}
