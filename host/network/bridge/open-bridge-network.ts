/** Network mode `bridge`, and users' networks: a tap on a bridge, an address of a pool, ports by nftables. */

import { dirname } from "node:path";
import { DvmError } from "../../errors.ts";
import { holdNameService } from "../dns/name-service.ts";
import { holdDenialLog, logGroup } from "../egress/denial-log.ts";
import { networkError } from "../errors.ts";
import { formatIpv4 } from "../ipv4.ts";
import { macOfAddress } from "../mac-address.ts";
import { onIpv6, type PortRequest, reservePorts, withoutIpv6 } from "../port-mapping.ts";
import type {
  GuestInterface,
  PreparedNetwork,
  PublishedPort,
  SpareCard,
} from "../prepared-network.ts";
import { chooseAddress, chooseAddress6, chooseSubnet } from "./address-pool.ts";
import { type BridgeNetwork, DEFAULT_BRIDGE, tapName } from "./bridge-network.ts";
import { makeBridge, makeTap, renameTap, routedSubnets } from "./devices.ts";
import { type CardPolicy, ENDPOINT_VERSION, type Endpoint } from "./endpoint.ts";
import { enforcePolicy } from "./enforce-policy.ts";
import { turnForwarding6On, turnForwardingOn } from "./forwarding.ts";
import { HostState, lookAtEndpoints } from "./host-state.ts";
import { applyRules, clear, leave, tidy, tidySoon } from "./release-endpoints.ts";

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
  readonly ip6?: string;
  readonly mac?: string;
  /** absent: everything may be reached, as fast as it goes */
  readonly policy?: CardPolicy;
  /** what the container is called in the network */
  readonly names: readonly string[];
}

const MTU = 1500;

/**
 * Connects a machine that is about to start: bridge and rules come into being meanwhile.
 *
 * @throws DvmError; nothing is left behind then
 */
export async function openBridgeNetwork(options: BridgeOptions): Promise<PreparedNetwork> {
  requireRoot();
  await using undo = new AsyncDisposableStack();
  const ports = await takePorts(undo, options);
  const { endpoint, bridge, rules } = await attach(options, ports);
  undo.defer(() => leave(({ tap }) => tap === endpoint.tap));
  // who made it half has to be done before it is taken away
  undo.defer(async () => void (await Promise.allSettled([bridge, rules])));
  if (endpoint.policy?.egress !== undefined) undo.use(holdDenials(endpoint));
  const named = bridge.then(() => holdNameService(endpoint.network));
  // whoever waits until all is in place hears of its failure
  named.catch(() => {});
  undo.defer(async () => (await named.catch(() => undefined))?.[Symbol.asyncDispose]());
  const held = undo.move();
  const { mac, tap, network } = endpoint;
  const { ipv6 } = network;
  const gateway = formatIpv4(network.gateway);
  return {
    devices: [{ mac, backend: { kind: "tap", name: tap } }],
    interfaces: [guestInterface(endpoint)],
    nameServers: [gateway],
    gateway,
    ...(ipv6 === undefined ? {} : { gateway6: ipv6.gateway }),
    ports,
    connect: async ([spare] = [], { isRunning = false } = {}) => {
      await (isRunning ? Promise.all([bridge, rules]) : bridge);
      await connectCard(endpoint, spare);
    },
    settled: async () => void (await Promise.all([bridge, rules, named])),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function connectCard(endpoint: Endpoint, spare: SpareCard | undefined): Promise<void> {
  const { network, tap } = endpoint;
  await (spare?.kind === "tap"
    ? renameTap(network.bridge, spare.name, tap)
    : makeTap(network.bridge, tap));
  await enforcePolicy(endpoint);
}

/** The interface of an endpoint as the guest is told to set it up. */
export function guestInterface(endpoint: Endpoint): GuestInterface {
  const { mac, address, address6, network, interfaceName = "eth0", isDefaultRoute } = endpoint;
  const { ipv6 } = network;
  const prefixed6 =
    address6 === undefined || ipv6 === undefined
      ? []
      : [`${address6}${ipv6.subnet.slice(ipv6.subnet.indexOf("/"))}`];
  return {
    mac,
    name: interfaceName,
    addresses: [`${address}/${network.subnet.prefix}`, ...prefixed6],
    gateways: isDefaultRoute ? routers(network) : [],
    mtu: MTU,
  };
}

/** Addresses of the host in a network. */
export function routers({ gateway, ipv6 }: BridgeNetwork): string[] {
  return [formatIpv4(gateway), ...(ipv6 === undefined ? [] : [ipv6.gateway])];
}

/** Takes away what is left of machines that are gone; for whoever has swept after a crash. */
export async function sweepBridges(): Promise<void> {
  if (process.getuid?.() === 0) await tidy();
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
  undo.defer(() => leave(isMeant));
  for (const endpoint of endpoints) {
    for (const port of endpoint.ports) await holdAgain(undo, port);
    undo.use(await holdNameService(endpoint.network));
    if (endpoint.policy?.egress !== undefined) undo.use(holdDenials(endpoint));
  }
  return undo.move();
}

/** Ports on every address of the host are its IPv6 ones too, where the container has one. */
async function takePorts(
  holds: AsyncDisposableStack,
  { ports: requests, network }: BridgeOptions,
): Promise<PublishedPort[]> {
  if (network?.ipv6 === undefined) {
    return [...holds.use(await reservePorts(withoutIpv6(requests))).ports];
  }
  const { ports } = holds.use(await reservePorts(requests));
  const further = holds.use(await reservePorts(onIpv6(requests, ports)));
  return [...ports, ...further.ports];
}

export function holdDenials({ runDirectory }: Endpoint): Disposable {
  return holdDenialLog(
    logGroup(dirname(runDirectory)),
    (tap) => lookAtEndpoints().find((each) => each.tap === tap)?.container,
  );
}

async function holdAgain(holds: AsyncDisposableStack, port: PublishedPort): Promise<void> {
  const { hostPort, ...request } = port;
  try {
    holds.use(await reservePorts([{ ...request, hostPorts: [hostPort, hostPort] }]));
  } catch (error) {
    if (!(error instanceof DvmError)) throw error;
  }
}

interface Attached {
  readonly endpoint: Endpoint;
  /** settles when the network's bridge is there */
  readonly bridge: Promise<void>;
  /** settles when the rules hold for the endpoint; they know devices by name, which need not be there */
  readonly rules: Promise<void>;
}

async function attach(options: BridgeOptions, ports: readonly PublishedPort[]): Promise<Attached> {
  await using held = new AsyncDisposableStack();
  const state = held.use(await HostState.open());
  const { living, dead } = state.endpoints();
  const network = options.network ?? defaultNetwork(living);
  const endpoint = newEndpoint(options, { network, living, ports });
  // the rest of them goes when there is time for it
  const inTheWay = dead.filter(({ tap }) => tap === endpoint.tap);
  await clear(state, inTheWay);
  if (dead.length > inTheWay.length) tidySoon();
  state.write(endpoint);
  if (!network.internal) forward(state, network);
  const bridge = makeBridge(network);
  const rules = applyRules(state, [...living, endpoint]);
  // whoever waits for them hears of their failure; nobody else changes the host before they are done
  const kept = held.move();
  void Promise.allSettled([bridge, rules]).then(() => kept.disposeAsync());
  return { endpoint, bridge, rules };
}

export function forward(state: HostState, { ipv6 }: BridgeNetwork): void {
  if (turnForwardingOn()) state.forwardingIsOurs = true;
  const listening = ipv6 === undefined ? undefined : turnForwarding6On();
  if (listening !== undefined) state.forwarding6IsOurs = listening;
}

export function newEndpoint(
  options: Omit<BridgeOptions, "ports" | "network">,
  parts: {
    readonly network: BridgeNetwork;
    readonly living: readonly Endpoint[];
    readonly ports: readonly PublishedPort[];
  },
): Endpoint {
  const { container, runDirectory, ip, ip6, mac, names, policy } = options;
  const { interfaceName, isDefaultRoute } = options;
  const { network, living, ports } = parts;
  const neighbours = living.filter((each) => each.network.bridge === network.bridge);
  const taken = new Set(neighbours.map(({ address }) => address));
  const address = chooseAddress({ network, taken, ...(ip === undefined ? {} : { wanted: ip }) });
  const taken6 = new Set(neighbours.flatMap(({ address6: each }) => each ?? []));
  const address6 = chooseAddress6({
    network,
    taken: taken6,
    ...(ip6 === undefined ? {} : { wanted: ip6 }),
  });
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
    interfaceName,
    isDefaultRoute: isDefaultRoute && !network.internal,
    mac: card,
    address,
    ...(address6 === undefined ? {} : { address6 }),
    ...(policy === undefined ? {} : { policy }),
    names,
    ports,
  };
}

/** The network that containers are in without being asked; its subnet is chosen anew whenever it comes into being. */
export function defaultNetwork(living: readonly Endpoint[]): BridgeNetwork {
  const there = living.find(({ network }) => network.bridge === DEFAULT_BRIDGE);
  if (there !== undefined) return there.network;
  const used = [...routedSubnets(DEFAULT_BRIDGE), ...living.map(({ network }) => network.subnet)];
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

export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw networkError("NETWORK_PRIVILEGE", "a bridge network needs root");
}
