/** Holds a card to its policy, before anybody can send by it. */

import { dirname } from "node:path";
import { cardTable } from "../egress/card-rules.ts";
import { logGroup } from "../egress/denial-log.ts";
import { parseEgress } from "../egress/egress-policy.ts";
import { formatIpv4 } from "../ipv4.ts";
import { loadRules, shapeDevice } from "./devices.ts";
import type { Endpoint } from "./endpoint.ts";

/** @throws DvmError `NETWORK_FAILED`, `NETWORK_TOOL_MISSING` */
export async function enforcePolicy(endpoint: Endpoint): Promise<void> {
  const { policy, tap, network, runDirectory } = endpoint;
  if (policy === undefined) return;
  const { egress, rate } = policy;
  const { gateway, ipv6 } = network;
  await loadRules(
    cardTable({
      tap,
      ...(egress === undefined ? {} : { egress: parseEgress(egress) }),
      ...(rate?.out === undefined ? {} : { rateOut: rate.out }),
      nameServers: [formatIpv4(gateway), ...(ipv6 === undefined ? [] : [ipv6.gateway])],
      ...(ipv6 === undefined ? {} : { subnet6: ipv6.subnet }),
      logGroup: logGroup(dirname(runDirectory)),
    }),
  );
  if (rate?.in !== undefined) await shapeDevice(tap, rate.in);
}
