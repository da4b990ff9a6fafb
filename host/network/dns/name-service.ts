/**
 * Keeps a name server on the gateway address of a bridge for as long as this process has a container there. Several
 * processes may: the first has the address, and another takes over when it ends. What they answer is on disk, where all
 * of them read it.
 */

import type { BridgeNetwork } from "../bridge/bridge-network.ts";
import { DEFAULT_BRIDGE } from "../bridge/bridge-network.ts";
import type { Endpoint } from "../bridge/endpoint.ts";
import { EndpointView } from "../bridge/endpoint-view.ts";
import { denials } from "../egress/denials.ts";
import { type EgressPolicy, parseEgress } from "../egress/egress-policy.ts";
import { admitsName } from "../egress/name-policy.ts";
import { pinAnswer } from "../egress/pin-answer.ts";
import { hostResolver } from "../host-resolver.ts";
import { contains, formatIpv4, parseIpv4 } from "../ipv4.ts";
import { warnings } from "../warnings.ts";
import { type DnsServerOptions, openDnsServer } from "./dns-server.ts";

/** Between two tries for an address that another has, in `milliseconds`. */
const TRY_AGAIN = 250;
const DNS_PORT = 53;

/** What questions are answered from. */
const endpoints = new EndpointView();

/** Servers of this process, with how many containers need each. */
const services = new Map<string, { users: number; readonly service: StartedService }>();

interface StartedService extends AsyncDisposable {
  /** settles after the first try */
  readonly started: Promise<void>;
}

/**
 * A hold on the network's name server; the last to let go ends it.
 *
 * @param start starts it
 * @throws Error of a start that has failed, after which the next one tries again
 */
export async function holdNameService(
  network: BridgeNetwork,
  start: (network: BridgeNetwork) => StartedService = (each) => new NameService(each),
): Promise<AsyncDisposable> {
  const { bridge } = network;
  const entry = services.get(bridge) ?? { users: 0, service: start(network) };
  entry.users++;
  services.set(bridge, entry);
  const letGo = () => {
    entry.users--;
    if (entry.users === 0 && services.get(bridge) === entry) services.delete(bridge);
  };
  try {
    await entry.service.started;
  } catch (error) {
    letGo();
    throw error;
  }
  return {
    [Symbol.asyncDispose]: async () => {
      letGo();
      if (entry.users === 0) await entry.service[Symbol.asyncDispose]();
    },
  };
}

class NameService implements StartedService {
  readonly #options: DnsServerOptions;
  readonly started: Promise<void>;
  #server: AsyncDisposable | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(network: BridgeNetwork) {
    this.#options = serverOptions(network);
    this.started = this.#try();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.started;
    await this.#server?.[Symbol.asyncDispose]();
  }

  async #try(): Promise<void> {
    try {
      const server = await openDnsServer(this.#options);
      if (this.#ended) await server[Symbol.asyncDispose]();
      else this.#server = server;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      if (!["EADDRINUSE", "EADDRNOTAVAIL"].includes(code)) throw error;
      if (!this.#ended) this.#timer = setTimeout(() => this.#tryAgain(), TRY_AGAIN).unref();
    }
  }

  #tryAgain(): void {
    this.#try().catch((error: Error) =>
      warnings.report(`name server of ${this.#options.address}: ${error.message}`),
    );
  }
}

function serverOptions(network: BridgeNetwork): DnsServerOptions {
  const { bridge, name, subnet, gateway, internal } = network;
  // on Docker's default network containers do not find each other by name
  const hasNames = bridge !== DEFAULT_BRIDGE;
  return {
    address: formatIpv4(gateway),
    port: DNS_PORT,
    serves: (client) => contains(subnet, parseIpv4(client) ?? -1),
    lookUp: (asked, client) => lookUp(asked, client, bridge),
    nameOf: (address) => {
      const found = endpoints
        .current()
        .find(
          ({ network: { bridge: other }, address: four, address6 }) =>
            hasNames && other === bridge && (four === address || address6 === address),
        );
      const [first] = found?.names ?? [];
      return first === undefined ? undefined : `${first}.${name}`;
    },
    forwardTo: () => (internal ? [] : hostResolver().servers),
    admits: (question, client) => admits(question.name, client, bridge),
    onAnswer: async ({ client, ...answer }) => {
      const asker = policedAsker(client, bridge);
      if (asker !== undefined) await pinAnswer(asker.cards, asker.policy, answer);
    },
  };
}

function admits(name: string, client: string, bridge: string): boolean {
  const asker = policedAsker(client, bridge);
  if (asker === undefined || admitsName(asker.policy, name)) return true;
  denials.report({ container: asker.container, destination: name, protocol: "dns" });
  return false;
}

interface PolicedAsker {
  readonly container: string;
  readonly policy: EgressPolicy;
  /** all cards of the container, each of which the policy is for */
  readonly cards: readonly Endpoint[];
}

/** The container that asks, if it has a policy: the bridge lets nobody ask by another's address. */
function policedAsker(client: string, bridge: string): PolicedAsker | undefined {
  const all = endpoints.current();
  const asker = all.find((each) => each.network.bridge === bridge && each.address === client);
  const egress = asker?.policy?.egress;
  if (asker === undefined || egress === undefined) return undefined;
  const { container } = asker;
  const cards = all.filter(
    (each) => each.container === container && each.policy?.egress !== undefined,
  );
  return { container, policy: parseEgress(egress), cards };
}

/** A container finds the others of every network that it is in, by their names, and by `name.network`. */
function lookUp(asked: string, client: string, bridge: string): readonly string[] | undefined {
  const all = endpoints.current();
  const asker = all.find((each) => each.network.bridge === bridge && each.address === client);
  const bridges = all
    .filter(({ container }) => container === asker?.container)
    .map(({ network }) => network.bridge);
  const found = all.filter(
    ({ network, names }) =>
      network.bridge !== DEFAULT_BRIDGE &&
      bridges.includes(network.bridge) &&
      names.some((each) => {
        const known = each.toLowerCase();
        return asked === known || asked === `${known}.${network.name.toLowerCase()}`;
      }),
  );
  return found.length === 0
    ? undefined
    : found.flatMap(({ address, address6 }) => [
        address,
        ...(address6 === undefined ? [] : [address6]),
      ]);
}
