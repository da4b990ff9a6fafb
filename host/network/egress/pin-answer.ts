/** Lets a container's cards reach what a name stands for, before it hears of it. */

import { loadRules } from "../bridge/devices.ts";
import type { Endpoint } from "../bridge/endpoint.ts";
import { BoundedMap } from "./bounded-map.ts";
import { type Pin, pinElements } from "./card-rules.ts";
import { denials } from "./denials.ts";
import type { EgressPolicy } from "./egress-policy.ts";
import { type NamedAddresses, sortAddresses } from "./name-policy.ts";

const MAX_ENDS = 16_384;

/** @throws DvmError when the kernel takes no more of them */
export async function pinAnswer(
  cards: readonly Endpoint[],
  policy: EgressPolicy,
  answer: NamedAddresses,
): Promise<void> {
  const { pins, refused } = sortAddresses(policy, answer);
  const [{ container } = { container: "" }] = cards;
  for (const address of refused) {
    const reason = `the name ${answer.name} has an address that is not public`;
    denials.report({ container, destination: address, protocol: "dns", reason });
  }
  if (pins.length === 0) return;
  await loadRules(cards.map(({ tap }) => pinElements(tap, longest(tap, pins))).join(""));
}

/** until when what is pinned may be reached, by card, address and port */
const ends = new BoundedMap<string, number>(MAX_ENDS);

/** Several names may stand for one address: the answer that is good for longest counts. */
function longest(tap: string, pins: readonly Pin[]): Pin[] {
  const now = performance.now() / 1000;
  return pins.map((pin) => {
    const key = `${tap} ${pin.address} ${pin.port}`;
    const end = Math.max(now + pin.lifetime, ends.get(key) ?? 0);
    ends.set(key, end);
    return { ...pin, lifetime: Math.ceil(end - now) };
  });
}
