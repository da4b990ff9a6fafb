/** Taps of machines that wait for containers: made before it is known which network they will be in. */

import { readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { ip } from "./devices.ts";
import { renewPolicies } from "./enforce-policy.ts";

/** What the names of spare taps begin with; no other device of ours does. */
const PREFIX = "dvmp";

/** A name for the tap of a spare machine. @param unique eight hexadecimal digits and the card's place */
export function spareTapName(unique: string, place: number): string {
  return `${PREFIX}${unique}${place}`;
}

/** Makes taps that lead nowhere. */
export async function makeSpareTaps(names: readonly string[]): Promise<void> {
  await ip(
    names.flatMap((name) => [
      `tuntap add dev ${name} mode tap user 0`,
      `link set ${name} addrgenmode none`,
    ]),
  );
}

/** Puts spare taps into the places of taps that were made for their networks, and takes over their names. */
export async function useSpareTaps(
  taps: readonly { readonly spare: string; readonly tap: string }[],
): Promise<void> {
  await ip(
    taps.flatMap(({ spare, tap }) => {
      const port = `/sys/class/net/${tap}`;
      const bridge = basename(readlinkSync(`${port}/master`));
      const hairpin = readFileSync(`${port}/brport/hairpin_mode`, "utf8").trim() === "1";
      return [
        `link del ${tap}`,
        `link set dev ${spare} name ${tap}`,
        `link set ${tap} master ${bridge} up`,
        ...(hairpin ? [`link set ${tap} type bridge_slave hairpin on`] : []),
      ];
    }),
  );
  // rules and queues went with the device that had them; nothing of the container's runs yet
  await renewPolicies(taps.map(({ tap }) => tap));
}
