/**
 * What a policy makes of names: whether one is asked for at all, and which of its addresses may be reached from then
 * on, for as long as the answer is good. A name's addresses are whatever its owner says: only public ones count, so
 * that nobody points a name that is allowed at the host's surroundings. Those of containers are ours to say.
 */

import type { AnsweredAddress } from "../dns/dns-answer.ts";
import { isPublic, isWithin } from "./address-classes.ts";
import type { Pin } from "./card-rules.ts";
import { type EgressPolicy, entriesOf } from "./egress-policy.ts";

/** Shortest and longest that an address is pinned, in `seconds`: whoever asks has to get around to it. */
const SHORTEST = 10;
const LONGEST = 3600;
/** Most addresses of one answer. */
const MAX_ADDRESSES = 64;

/** Whether the name may be asked of the outside: a question tells those who answer it something, too. */
export function admitsName(policy: EgressPolicy, name: string): boolean {
  return policy.public || entriesOf(policy, name).length > 0;
}

export interface NamedAddresses {
  readonly name: string;
  readonly addresses: readonly AnsweredAddress[];
  /** whether it is a container's name */
  readonly isOwn: boolean;
}

/** The addresses of an answer that may be reached, and those that may not by this name. */
export function sortAddresses(
  policy: EgressPolicy,
  { name, addresses, isOwn }: NamedAddresses,
): { readonly pins: readonly Pin[]; readonly refused: readonly string[] } {
  const entries = entriesOf(policy, name);
  const wanted = entries.length === 0 ? [] : addresses.slice(0, MAX_ADDRESSES);
  const fits = ({ address }: AnsweredAddress) => isOwn || isPublic(address);
  const pins = wanted.filter(fits).flatMap(({ address, lifetime }) =>
    entries.map(({ port }) => ({
      address,
      ...(port === undefined ? {} : { port }),
      lifetime: Math.min(LONGEST, Math.max(SHORTEST, lifetime)),
    })),
  );
  const isInRange = (address: string) =>
    policy.ranges.some(
      ({ range }) => address.includes(":") === range.includes(":") && isWithin(address, range),
    );
  const refused = wanted.filter((each) => !fits(each) && !isInRange(each.address));
  return { pins, refused: refused.map(({ address }) => address) };
}
