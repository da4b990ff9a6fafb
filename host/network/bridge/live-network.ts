/**
 * Networks of a machine that runs. It gets no further card: what it is connected to later is carried by the one that it
 * has. In the guest that is a device with a MAC address of its own on the card; on the host the frames of that address
 * are led off the tap into a pair of devices whose end is in the network's bridge (`carriedRules`). A card whose network
 * the container leaves stays, in no bridge, for others to be carried by it; the next network has it as its own.
 */

import { holdNameService } from "../dns/name-service.ts";
import { removeTable } from "../egress/card-rules.ts";
import { networkError } from "../errors.ts";
import type { GuestInterface } from "../prepared-network.ts";
import { type BridgeNetwork, carriedName, farName } from "./bridge-network.ts";
import { carriedRules } from "./carried-rules.ts";
import {
  connectDevice,
  disconnectDevice,
  loadRules,
  makeBridge,
  makePair,
  removeDevices,
} from "./devices.ts";
import type { CardPolicy, Endpoint } from "./endpoint.ts";
import { enforcePolicy } from "./enforce-policy.ts";
import { HostState } from "./host-state.ts";
import {
  defaultNetwork,
  forward,
  guestInterface,
  holdDenials,
  newEndpoint,
  routers,
} from "./open-bridge-network.ts";
import { applyRules, clear, release } from "./release-endpoints.ts";

export interface ConnectOptions {
  /** id of the container */
  readonly container: string;
  /** private folder of the machine */
  readonly runDirectory: string;
  /** absent: Docker's default network */
  readonly network?: BridgeNetwork;
  readonly ip?: string;
  readonly policy?: CardPolicy;
  /** what the container is called in the network */
  readonly names: readonly string[];
}

/** An interface that the guest is to make or to change. */
export interface ChangedInterface extends GuestInterface {
  /** MAC address that its device has until now */
  readonly clonedMac?: string;
  /** MAC address of the device that carries it */
  readonly carrier?: string;
}

/** What the guest is to be told, and who it is connected to then. */
export interface LiveChange {
  readonly connect: readonly ChangedInterface[];
  readonly disconnect: readonly {
    readonly mac: string;
    readonly carried: boolean;
    readonly addresses: readonly string[];
    readonly gateways: readonly string[];
  }[];
  /** name servers of all its networks */
  readonly nameServers: readonly string[];
}

/** A connection that has come into being on the host; disposing of it ends it. */
export interface LiveConnection extends LiveChange, AsyncDisposable {
  readonly endpoint: Endpoint;
  /** the host's address in the network */
  readonly gateway: string;
}

/** @throws DvmError; nothing is left behind then */
export async function connectBridge(options: ConnectOptions): Promise<LiveConnection> {
  await using undo = new AsyncDisposableStack();
  const { endpoint, change } = await join(options);
  undo.defer(async () => void (await disconnectBridge(options.runDirectory, endpoint.network.id)));
  undo.use(await holdNameService(endpoint.network));
  if (endpoint.policy?.egress !== undefined) undo.use(holdDenials(endpoint));
  const held = undo.move();
  const [gateway = ""] = routers(endpoint.network);
  return { ...change, endpoint, gateway, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** @returns nothing when the machine is not in the network */
export async function disconnectBridge(
  runDirectory: string,
  networkId: string,
): Promise<LiveChange | undefined> {
  using state = await HostState.open();
  const { own, cards } = ownOf(state, runDirectory);
  const leaving = own.find(({ network }) => network.id === networkId);
  if (leaving === undefined) return undefined;
  const rest = own.filter((each) => each !== leaving);
  const heir = rest.find(({ network }) => !network.internal);
  const next = heir === undefined ? undefined : inherit(heir, leaving);
  if (next !== undefined) state.write(next);
  const { mac, addresses } = guestInterface(leaving);
  const carried = leaving.carrier !== undefined;
  if (carried) await dropCarried(state, leaving, { cards, isInherited: next !== undefined });
  else await idleCard(state, { ...leaving, ports: next === undefined ? leaving.ports : [] });
  const isMoved = next !== undefined && leaving.isDefaultRoute === true;
  return {
    disconnect: [{ mac, carried, addresses, gateways: routers(leaving.network) }],
    connect: isMoved ? [guestInterface(next)] : [],
    nameServers: nameServers(rest.map((each) => (each === heir ? (next ?? each) : each))),
  };
}

/** Another network has the published ports then, and is the way to the outside if the one that is left was that. */
function inherit(heir: Endpoint, leaving: Endpoint): Endpoint {
  return {
    ...heir,
    isDefaultRoute: (heir.isDefaultRoute ?? false) || (leaving.isDefaultRoute ?? false),
    ports: [...heir.ports, ...leaving.ports],
  };
}

async function join(options: ConnectOptions): Promise<{
  readonly endpoint: Endpoint;
  readonly change: LiveChange;
}> {
  using state = await HostState.open();
  const { living, dead } = state.endpoints();
  await clear(state, dead);
  const network = options.network ?? defaultNetwork(living);
  const { own, cards } = ownOf(state, options.runDirectory);
  const [card] = cards;
  if (card === undefined) {
    throw networkError(
      "NETWORK_UNSUPPORTED",
      "a machine without a network gets none while it runs",
      {
        hint: "stop the container first",
      },
    );
  }
  const idle = cards.find((each) => each.idle);
  const wanted = newEndpoint(
    {
      ...options,
      interfaceName: idle?.interfaceName ?? freeName([...own, ...cards]),
      isDefaultRoute: !own.some(({ isDefaultRoute }) => isDefaultRoute),
    },
    { network, living, ports: idle?.ports ?? [] },
  );
  const endpoint: Endpoint =
    idle === undefined
      ? { ...wanted, tap: carriedName(options.container, network.bridge), carrier: card.tap }
      : { ...wanted, tap: idle.tap };
  state.write(endpoint);
  try {
    if (!network.internal) forward(state, network);
    await makeBridge(network);
    await (idle === undefined
      ? makePair(network.bridge, endpoint.tap, farName(endpoint.tap))
      : connectDevice(network.bridge, endpoint.tap));
    await applyRules(state, state.endpoints().living);
    await enforcePolicy(endpoint);
    await applyCarried(state, card.tap);
  } catch (error) {
    if (idle === undefined) await release(state, [endpoint]);
    else await idleCard(state, { ...idle, network });
    await applyCarried(state, card.tap);
    throw error;
  }
  const change = guestInterface(endpoint);
  const device = idle === undefined ? { carrier: card.mac } : { clonedMac: idle.mac };
  return {
    endpoint,
    change: {
      disconnect: [],
      connect: [{ ...change, ...device }],
      nameServers: nameServers([...own, endpoint]),
    },
  };
}

/** Endpoints of a machine, and its cards, those that are in no network too; in the order of their names in the guest. */
function ownOf(state: HostState, runDirectory: string) {
  const { living, idle } = state.endpoints();
  const byName = (a: Endpoint, b: Endpoint) =>
    (a.interfaceName ?? "eth0").localeCompare(b.interfaceName ?? "eth0", "en", { numeric: true });
  const isOwn = (each: Endpoint) => each.runDirectory === runDirectory;
  const own = living.filter(isOwn).sort(byName);
  const cards = [...own, ...idle.filter(isOwn)].filter(({ carrier }) => carrier === undefined);
  return { own, cards: cards.sort(byName) };
}

function freeName(taken: readonly Endpoint[]): string {
  const names = new Set(taken.map(({ interfaceName }) => interfaceName));
  let index = 0;
  while (names.has(`eth${index}`)) index++;
  return `eth${index}`;
}

/** Takes away what stood for a card that another carried. */
async function dropCarried(
  state: HostState,
  leaving: Endpoint,
  { cards, isInherited }: { readonly cards: readonly Endpoint[]; readonly isInherited: boolean },
): Promise<void> {
  const carrier = cards.find(({ tap }) => tap === leaving.carrier);
  // the next network that the card is in has the ports then
  if (!isInherited && carrier?.idle) {
    state.write({ ...carrier, ports: [...carrier.ports, ...leaving.ports] });
  }
  await release(state, [leaving]);
  if (carrier !== undefined) await applyCarried(state, carrier.tap);
}

/** Takes a card out of its network. */
async function idleCard(state: HostState, leaving: Endpoint): Promise<void> {
  const { isDefaultRoute: _, policy, ...card } = leaving;
  state.write({ ...card, idle: true, names: [] });
  // nothing of the guest's gets further from here on, and the host is not spoken to
  await applyCarried(state, card.tap);
  if (policy !== undefined) await loadRules(removeTable(card.tap));
  await disconnectDevice(card.tap);
  const { living } = state.endpoints();
  const { bridge } = card.network;
  if (!living.some(({ network }) => network.bridge === bridge)) await removeDevices([bridge]);
  await release(state, []);
}

async function applyCarried(state: HostState, tap: string): Promise<void> {
  const { living, idle } = state.endpoints();
  const card = [...living, ...idle].find((each) => each.tap === tap);
  if (card === undefined) return;
  await loadRules(
    carriedRules(
      card,
      living.filter(({ carrier }) => carrier === tap),
    ),
  );
}

/** The way to the outside first. */
function nameServers(endpoints: readonly Endpoint[]): string[] {
  const isFirst = (each: Endpoint) => (each.isDefaultRoute ? 0 : 1);
  const sorted = [...endpoints].sort((a, b) => isFirst(a) - isFirst(b));
  return sorted.flatMap(({ network }) => routers(network).slice(0, 1));
}
