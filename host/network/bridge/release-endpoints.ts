/**
 * Takes away what was made on the host for endpoints that are no more. The kernel waits for each device and table that it
 * removes (synchronize_rcu), so nobody else does: it is done when nobody has come or gone for a moment. Published ports
 * are another's to have at once, and lead nowhere from then on.
 */

import { setTimeout } from "node:timers/promises";
import { removeTable } from "../egress/card-rules.ts";
import { warnings } from "../warnings.ts";
import { carriedRules } from "./carried-rules.ts";
import { loadRules, removeDevices } from "./devices.ts";
import type { Endpoint } from "./endpoint.ts";
import { turnForwarding6Off, turnForwardingOff } from "./forwarding.ts";
import { HostState, leaveEndpoints } from "./host-state.ts";
import { rules } from "./rules.ts";

/** Without anybody who comes or goes, in `milliseconds`. */
const QUIET = 150;
/** Longest time that comings and goings put it off, in `milliseconds`. */
const PATIENCE = 2000;

let isTidying = false;
let changes = 0;
/** whether somebody waits for the state to withdraw the ports of all who have left */
let isWithdrawing = false;

/** Endpoints have left: their ports lead to them no more as soon as may be, and what was made for them goes soon. */
export function leave(isMeant: (endpoint: Endpoint) => boolean): void {
  const left = leaveEndpoints(isMeant);
  if (left.some(({ ports }) => ports.length > 0)) void withdrawPorts();
  tidySoon();
}

async function withdrawPorts(): Promise<void> {
  if (isWithdrawing) return;
  isWithdrawing = true;
  try {
    using state = await HostState.open();
    // who leaves from here on is not seen any more
    isWithdrawing = false;
    await applyRules(state, state.endpoints().living);
  } catch (error) {
    isWithdrawing = false;
    tellFailure(error);
  }
}

export function tidySoon(): void {
  changes++;
  // what could not be taken away is there for the next who tries
  if (isTidying) return;
  isTidying = true;
  void tidyWhenQuiet()
    .catch(tellFailure)
    .finally(() => {
      isTidying = false;
    });
}

/** As `tidy`, for whoever goes on without. */
export async function tryTidy(): Promise<void> {
  await tidy().catch(tellFailure);
}

function tellFailure(error: unknown): void {
  warnings.report(`taking networks away: ${(error as Error).message}`);
}

/** Takes away what is left of endpoints and machines that are gone, now. */
export async function tidy(): Promise<void> {
  using state = await HostState.open();
  const { dead } = state.endpoints();
  if (dead.length > 0) await release(state, dead);
}

async function tidyWhenQuiet(): Promise<void> {
  let seen: number;
  do {
    const deadline = Date.now() + PATIENCE;
    do {
      seen = changes;
      await setTimeout(QUIET);
    } while (changes !== seen && Date.now() < deadline);
    seen = changes;
    await tidy();
  } while (changes !== seen);
}

/** Takes endpoints away, then whatever nobody needs any more. */
export async function release(state: HostState, leaving: readonly Endpoint[]): Promise<void> {
  await clear(state, leaving);
  const { living } = state.endpoints();
  await applyRules(state, living);
  if (living.length === 0 && state.forwardingIsOurs) {
    turnForwardingOff();
    state.forwardingIsOurs = false;
  }
  const listening = state.forwarding6IsOurs;
  if (listening !== undefined && living.every(({ network }) => network.ipv6 === undefined)) {
    turnForwarding6Off(listening);
    state.forwarding6IsOurs = undefined;
  }
}

/** Removes the devices of endpoints, and the bridges that they were the last of. Until then they are among the dead. */
export async function clear(state: HostState, leaving: readonly Endpoint[]): Promise<void> {
  if (leaving.length === 0) return;
  for (const endpoint of leaving) state.leave(endpoint);
  const { living, idle } = state.endpoints();
  const stay = new Set(living.map(({ network }) => network.bridge));
  const bridges = leaving.map(({ network }) => network.bridge).filter((name) => !stay.has(name));
  const tables = tablesWithout(leaving, { living, idle });
  if (tables !== "") await loadRules(tables);
  await removeDevices([...leaving.map(({ tap }) => tap), ...new Set(bridges)]);
  for (const endpoint of leaving) state.forget(endpoint);
}

/**
 * For nft -f: removes the tables of cards that leave. A card that stays carries the rest of what it has carried, without
 * a moment's pause: its table is replaced in the same transaction.
 */
export function tablesWithout(
  leaving: readonly Endpoint[],
  { living, idle }: { readonly living: readonly Endpoint[]; readonly idle: readonly Endpoint[] },
): string {
  const own = leaving.map(({ tap, policy, idle: isIdle = false }) => {
    const carried = isIdle ? carriedRules({ tap }, []) : "";
    return policy === undefined ? carried : removeTable(tap) + carried;
  });
  const carriers = new Set(leaving.flatMap(({ carrier }) => carrier ?? []));
  const rest = [...carriers].map((tap) => {
    const card = [...living, ...idle].find((each) => each.tap === tap);
    const still = card === undefined ? [] : living.filter(({ carrier }) => carrier === tap);
    return carriedRules(card ?? { tap }, still);
  });
  return [...own, ...rest].join("");
}

export function applyRules(state: HostState, endpoints: readonly Endpoint[]): Promise<void> {
  const onlyOurs6 = state.forwarding6IsOurs !== undefined;
  return loadRules(rules({ endpoints, onlyOurs: state.forwardingIsOurs, onlyOurs6 }));
}
