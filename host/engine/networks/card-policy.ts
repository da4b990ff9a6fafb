/** What a container's configuration says of what it may reach and how fast, read and checked. */

import { parseEgress } from "../../network/egress/egress-policy.ts";
import { type NetworkRate, parseNetworkRate } from "../../network/egress/network-rate.ts";
import type { ContainerConfig } from "../container-config.ts";
import { engineError } from "../errors.ts";

export interface ReadPolicy {
  /** as `parseEgress` reads it */
  readonly egress?: string;
  readonly rate?: NetworkRate;
}

/** The part of a configuration that speaks of it. */
type PolicyConfig = Pick<ContainerConfig, "network" | "networking"> &
  Partial<Pick<ContainerConfig, "dns">>;

/** Modes without a card that is the container's own. */
const WITHOUT_CARD = /^(none|host|container:.*)$/s;

/**
 * Refuses, of a container that is to be made, what nobody could hold it to. One that leaves its last network later
 * keeps its policy for the next.
 *
 * @throws DvmError `NETWORK_INVALID`; `CONFIG_INVALID` with a network that has no such thing, or other name servers
 */
export function checkPolicy({ network, networking, dns }: PolicyConfig): void {
  const { egress, rate } = networking ?? {};
  if (egress === undefined && rate === undefined) return;
  readPolicy({ networking: { ...networking } });
  const flag = egress === undefined ? "network-rate" : "egress";
  if (WITHOUT_CARD.test(network)) {
    throw engineError(
      "CONFIG_INVALID",
      `conflicting options: ${flag} and network ${network.slice(0, 80)}`,
      {
        hint: "what is limited is a network card of the container's own",
      },
    );
  }
  if (egress !== undefined && (dns?.servers ?? []).length > 0) {
    throw engineError("CONFIG_INVALID", "conflicting options: egress and dns", {
      hint: "with a policy names are asked of the network's own name server, which knows it",
    });
  }
}

/**
 * @returns nothing when everything may be reached, as fast as it goes
 * @throws DvmError `NETWORK_INVALID`
 */
export function readPolicy({
  networking = {},
}: Pick<ContainerConfig, "networking">): ReadPolicy | undefined {
  const { egress, rate } = networking;
  if (egress === undefined && rate === undefined) return undefined;
  if (egress !== undefined) parseEgress(egress);
  return {
    ...(egress === undefined ? {} : { egress }),
    ...(rate === undefined ? {} : { rate: parseNetworkRate(rate) }),
  };
}
