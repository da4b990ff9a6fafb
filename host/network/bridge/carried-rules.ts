/**
 * The nftables table of a card that carries the frames of networks that the machine was connected to later, or that is
 * in no network itself (family netdev, nft(8)): a pure function. It hangs on the tap before the card's own policy and
 * before the bridge. The guest's devices are told apart by their MAC addresses, each of which leads to one network.
 */

import { farName } from "./bridge-network.ts";
import type { Endpoint } from "./endpoint.ts";

/** Before what a policy hangs on the same tap. */
const PRIORITY = -10;

/** For nft -f: makes the table as it has to be, or removes it where there is no need of it. */
export function carriedRules(
  { tap, idle = false }: Pick<Endpoint, "tap" | "idle">,
  carried: readonly Pick<Endpoint, "tap" | "mac">[],
): string {
  const table = `netdev dvm-${tap}`;
  const clean = `table ${table}\ndelete table ${table}\n`;
  if (carried.length === 0 && !idle) return clean;
  const hook = (device: string) =>
    `type filter hook ingress device ${JSON.stringify(device)} priority ${PRIORITY}; policy accept;`;
  const ways = carried.map(
    (each) => `    ether saddr ${each.mac} fwd to ${JSON.stringify(farName(each.tap))}\n`,
  );
  const chains = carried.map(
    (each, index) => `  chain carried${index} {
    ${hook(farName(each.tap))}
    fwd to ${JSON.stringify(tap)}
  }
`,
  );
  return `${clean}table ${table} {
  chain guest {
    ${hook(tap)}
${ways.join("")}${idle ? "    drop\n" : ""}  }
${chains.join("")}}
`;
}
