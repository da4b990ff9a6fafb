/** Network mode `bridge`, and users' networks: a tap on a bridge, an address of a pool, ports by nftables. */

import { DvmError } from "../../errors.ts";
import { holdNameService } from "../dns/name-service.ts";
import { networkError } from "../errors.ts";
import { formatIpv4 } from "../ipv4.ts";
import { macOfAddress } from "../mac-address.ts";
import { type PortRequest, reservePorts } from "../port-mapping.ts";
import type { PreparedNetwork, PublishedPort } from "../prepared-network.ts";
import { chooseAddress, chooseSubnet } from "./address-pool.ts";
import { type BridgeNetwork, DEFAULT_BRIDGE, tapName } from "./bridge-network.ts";
import {
  loadRules,
  makeDevices,
  removeDevices,
  routedSubnets,
  turnForwardingOff,
  turnForwardingOn,
} from "./devices.ts";
import { ENDPOINT_VERSION, type Endpoint } from "./endpoint.ts";
import { HostState, lookAtEndpoints } from "./host-state.ts";
import { rules } from "./rules.ts";

export interface BridgeOptions {
  /** id of the container */
  readonly container: string;
  /** private folder of the machine: the endpoint lives no longer than it */
  readonly runDirectory: string;
  /** absent: Docker's default network */
  readonly network?: BridgeNetwork;
  /** whether the way to the outside is through this network */
  readonly isDefaultRoute: boolean;
  /** name of the interface in the guest */
  readonly interfaceName: string;
  readonly ports: readonly PortRequest[];
  readonly ip?: string;
  readonly mac?: string;
  /** what the container is called in the network */
  readonly names: readonly string[];
}

const MTU = 1500;

/**
 * Connects a machine that is about to start.
 *
 * @throws DvmError; nothing is left behind then
 */
export async function openBridgeNetwork(options: BridgeOptions): Promise<PreparedNetwork> {
  requireRoot();
  await using undo = new AsyncDisposableStack();
  const { ports } = undo.use(await reservePorts(options.ports));
  const endpoint = await attach(options, ports);
  undo.defer(() => detach(({ tap }) => tap === endpoint.tap));
  undo.use(await holdNameService(endpoint.network));
  const held = undo.move();
  const { mac, tap, address, network } = endpoint;
  const gateway = formatIpv4(network.gateway);
  return {
    devices: [{ mac, backend: { kind: "tap", name: tap } }],
    interfaces: [
      {
        mac,
        name: options.interfaceName,
        addresses: [`${address}/${network.subnet.prefix}`],
        gateways: options.isDefaultRoute && !network.internal ? [gateway] : [],
        mtu: MTU,
      },
    ],
    nameServers: [gateway],
    gateway,
    ports,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Takes away what is left of machines that are gone; for whoever has swept after a crash. */
export async function sweepBridges(): Promise<void> {
  if (process.getuid?.() === 0) await detach(() => false);
}

/**
 * Takes over a machine that a process connected which has ended since: names are answered again and its ports are
 * held again. A port that somebody else has taken meanwhile stays theirs for new sockets, and the machine's for
 * packets. Disposing of the result disconnects the machine.
 */
export async function adoptBridgeNetworks(runDirectory: string): Promise<AsyncDisposable> {
  const isMeant = (endpoint: Endpoint) => endpoint.runDirectory === runDirectory;
  const endpoints = lookAtEndpoints().filter(isMeant);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => detach(isMeant));
  for (const { network, ports } of endpoints) {
    for (const port of ports) await holdAgain(undo, port);
    undo.use(await holdNameService(network));
  }
  return undo.move();
}

async function holdAgain(holds: AsyncDisposableStack, port: PublishedPort): Promise<void> {
  const { hostPort, ...request } = port;
  try {
    holds.use(await reservePorts([{ ...request, hostPorts: [hostPort, hostPort] }]));
  } catch (error) {
    if (!(error instanceof DvmError)) throw error;
  }
}

async function attach(options: BridgeOptions, ports: readonly PublishedPort[]): Promise<Endpoint> {
  using state = await HostState.open();
  const { living, dead } = state.endpoints();
  await clear(state, dead);
  const network = options.network ?? (await defaultNetwork(living));
  const endpoint = newEndpoint(options, { network, living, ports });
  state.write(endpoint);
  try {
    if (!network.internal && turnForwardingOn()) state.forwardingIsOurs = true;
    // rules know devices by name; the machine that will use them does not run yet
    const made = await Promise.allSettled([
      makeDevices(network, endpoint.tap),
      applyRules(state, [...living, endpoint]),
    ]);
    for (const one of made) if (one.status === "rejected") throw one.reason;
    return endpoint;
  } catch (error) {
    await release(state, [endpoint]);
    throw error;
  }
}

async function detach(isMeant: (endpoint: Endpoint) => boolean): Promise<void> {
  using state = await HostState.open();
  const { living, dead } = state.endpoints();
  const leaving = [...dead, ...living.filter(isMeant)];
  if (leaving.length > 0) await release(state, leaving);
}

/** Takes endpoints away, then whatever nobody needs any more. */
async function release(state: HostState, leaving: readonly Endpoint[]): Promise<void> {
  await clear(state, leaving);
  const { living } = state.endpoints();
  await applyRules(state, living);
  if (living.length === 0 && state.forwardingIsOurs) {
    turnForwardingOff();
    state.forwardingIsOurs = false;
  }
}

/** Removes the devices of endpoints, and the bridges that they were the last of. */
async function clear(state: HostState, leaving: readonly Endpoint[]): Promise<void> {
  if (leaving.length === 0) return;
  for (const endpoint of leaving) state.remove(endpoint);
  const { living } = state.endpoints();
  const stay = new Set(living.map(({ network }) => network.bridge));
  const bridges = leaving.map(({ network }) => network.bridge).filter((name) => !stay.has(name));
  await removeDevices([...leaving.map(({ tap }) => tap), ...new Set(bridges)]);
}

function applyRules(state: HostState, endpoints: readonly Endpoint[]): Promise<void> {
  return loadRules(rules({ endpoints, onlyOurs: state.forwardingIsOurs }));
}

function newEndpoint(
  { container, runDirectory, ip, mac, names }: BridgeOptions,
  parts: {
    readonly network: BridgeNetwork;
    readonly living: readonly Endpoint[];
    readonly ports: readonly PublishedPort[];
  },
): Endpoint {
  const { network, living, ports } = parts;
  const neighbours = living.filter((each) => each.network.bridge === network.bridge);
  const taken = new Set(neighbours.map(({ address }) => address));
  const address = chooseAddress({ network, taken, ...(ip === undefined ? {} : { wanted: ip }) });
  const card = mac ?? macOfAddress(address);
  if (neighbours.some((each) => each.mac === card)) {
    throw networkError("NETWORK_INVALID", `MAC address ${card} is in use in ${network.name}`);
  }
  return {
    version: ENDPOINT_VERSION,
    container,
    network,
    runDirectory,
    tap: tapName(container, network.bridge),
    mac: card,
    address,
    names,
    ports,
  };
}

/** The network that containers are in without being asked; its subnet is chosen anew whenever it comes into being. */
async function defaultNetwork(living: readonly Endpoint[]): Promise<BridgeNetwork> {
  const there = living.find(({ network }) => network.bridge === DEFAULT_BRIDGE);
  if (there !== undefined) return there.network;
  const used = [
    ...(await routedSubnets(DEFAULT_BRIDGE)),
    ...living.map(({ network }) => network.subnet),
  ];
  const subnet = chooseSubnet(used);
  return {
    id: DEFAULT_BRIDGE,
    name: "bridge",
    bridge: DEFAULT_BRIDGE,
    subnet,
    gateway: subnet.base + 1,
    internal: false,
  };
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw networkError("NETWORK_PRIVILEGE", "a bridge network needs root");
}
