/** The networks that users have made, a file each, and who is in them. */

import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DvmError } from "../../errors.ts";
import { chooseSubnet } from "../../network/bridge/address-pool.ts";
import {
  type BridgeNetwork,
  bridgeName,
  DEFAULT_BRIDGE,
  type Ipv6Part,
} from "../../network/bridge/bridge-network.ts";
import { routedSubnets, routedSubnets6 } from "../../network/bridge/devices.ts";
import type { Endpoint } from "../../network/bridge/endpoint.ts";
import { lookAtEndpoints } from "../../network/bridge/host-state.ts";
import { networkError } from "../../network/errors.ts";
import {
  contains,
  formatIpv4,
  formatSubnet,
  overlap,
  parseIpv4,
  parseSubnet,
  type Subnet,
} from "../../network/ipv4.ts";
import { parseSubnet6 } from "../../network/ipv6.ts";
import { lockFile } from "../../sys/file-lock.ts";
import { chooseIpv6, type WantedIpv6 } from "./choose-ipv6.ts";

/** Version of the files. */
const NETWORK_VERSION = 1;

export interface StoredNetwork extends BridgeNetwork {
  readonly version: typeof NETWORK_VERSION;
  /** RFC 3339 */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
  /** uid of its owner; absent: the engine's own user's */
  readonly owner?: number;
}

export interface CreateNetworkOptions {
  readonly name: string;
  /** `address/prefix`; absent: one of the pools */
  readonly subnet?: string;
  /** absent: the subnet's first address */
  readonly gateway?: string;
  /** absent: no IPv6 */
  readonly ipv6?: WantedIpv6;
  readonly internal?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** uid of its owner; absent: the engine's own user's */
  readonly owner?: number;
}

/** A network as `ls` and `inspect` show it. */
export interface NetworkView {
  readonly id: string;
  readonly name: string;
  readonly driver: "bridge" | "host" | "user" | "null";
  /** RFC 3339; empty for the ones that are always there */
  readonly created: string;
  /** `address/prefix`; empty where there is none, or none yet */
  readonly subnet: string;
  readonly gateway: string;
  /** absent: no IPv6 */
  readonly ipv6?: Ipv6Part;
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly endpoints: readonly Endpoint[];
  /** uid of its owner; absent: the engine's own user's */
  readonly owner?: number;
  /** whether it is always there */
  readonly isBuiltIn: boolean;
}

/** Names that mean a mode (Docker's, and our own). */
const RESERVED: ReadonlySet<string> = new Set([
  "none",
  "user",
  "bridge",
  "host",
  "default",
  "container",
]);
/** moby daemon/names RestrictedNamePattern */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** A subnet needs a gateway and a container between its first and last address. */
const LONGEST_PREFIX = 30;
const SHORTEST_PREFIX = 8;

export class NetworkStore {
  readonly #folder: string;

  constructor(dataRoot: string) {
    this.#folder = join(dataRoot, "networks");
  }

  /** @throws DvmError `NETWORK_INVALID`, `NETWORK_EXISTS`, `SUBNET_OVERLAP`, `POOL_EXHAUSTED` */
  async create(options: CreateNetworkOptions): Promise<StoredNetwork> {
    const { name, internal = false, labels = {} } = options;
    if (!NAME.test(name) || RESERVED.has(name)) {
      throw networkError(
        "NETWORK_INVALID",
        `invalid network name: ${JSON.stringify(name.slice(0, 130))}`,
      );
    }
    await releaseSubnets();
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    using _lock = await lockFile(this.#folder);
    const others = this.list();
    // a name is its owner's: another's network of that name is none of theirs
    if (others.some((each) => each.name === name && isOwn(options.owner, each.owner))) {
      throw networkError("NETWORK_EXISTS", `network with name ${name} already exists`);
    }
    const used = [
      ...others.map((each) => each.subnet),
      ...lookAtEndpoints().map(({ network }) => network.subnet),
      ...routedSubnets(),
    ];
    const subnet =
      options.subnet === undefined ? chooseSubnet(used) : checkSubnet(options.subnet, used);
    const id = randomBytes(32).toString("hex");
    const network: StoredNetwork = {
      version: NETWORK_VERSION,
      id,
      name,
      bridge: bridgeName(id),
      subnet,
      gateway: checkGateway(options.gateway, subnet),
      ...(options.ipv6 === undefined ? {} : { ipv6: await this.#ipv6Part(options.ipv6, id) }),
      internal,
      created: new Date().toISOString(),
      labels,
      ...(options.owner === undefined ? {} : { owner: options.owner }),
    };
    const path = this.#path(id);
    writeFileSync(`${path}.new`, JSON.stringify(network), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    return network;
  }

  async #ipv6Part(wanted: WantedIpv6, id: string): Promise<Ipv6Part> {
    const others = [...this.list(), ...lookAtEndpoints().map(({ network }) => network)];
    const own = others.flatMap(({ ipv6 }) => ipv6?.subnet ?? []);
    const used = [...own.flatMap((text) => parseSubnet6(text) ?? []), ...(await routedSubnets6())];
    return chooseIpv6(wanted, { id, used });
  }

  /** By name. */
  list(): StoredNetwork[] {
    if (!existsSync(this.#folder)) return [];
    return readdirSync(this.#folder)
      .filter((name) => name.endsWith(".json"))
      .flatMap((name) => readNetwork(join(this.#folder, name)))
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  /** All that a container can be in, the modes too, with who is there. @param asker as in `find` */
  views(asker?: number): NetworkView[] {
    const endpoints = lookAtEndpoints();
    const own = this.list()
      .filter(({ owner }) => isTheirs(asker, owner))
      .map((network) => view(network, endpoints));
    return [...builtIn(endpoints), ...own];
  }

  /** One of `views`, found as `find` does. @throws DvmError `NO_SUCH_NETWORK` */
  view(reference: string, asker?: number): NetworkView {
    const found = builtIn(lookAtEndpoints()).find(({ name }) => name === reference);
    return found ?? view(this.find(reference, asker), lookAtEndpoints());
  }

  /**
   * By name, id or start of an id.
   *
   * @param asker uid of whose networks it is looked for; absent, and root: all
   * @throws DvmError `NO_SUCH_NETWORK`
   */
  find(reference: string, asker?: number): StoredNetwork {
    const all = this.list().filter(({ owner }) => isTheirs(asker, owner));
    const named = all.filter(({ name }) => name === reference);
    // root sees what others have called the same as something of its own
    const own = named.find(({ owner }) => isOwn(asker, owner));
    const exact = all.find(({ id }) => id === reference) ?? own ?? named[0];
    if (exact !== undefined) return exact;
    const starts = /^[0-9a-f]{4,64}$/.test(reference)
      ? all.filter(({ id }) => id.startsWith(reference))
      : [];
    const [found, another] = starts;
    if (found === undefined || another !== undefined) {
      throw networkError("NO_SUCH_NETWORK", `network ${reference} not found`);
    }
    return found;
  }

  /** The same, and nothing for one that is not there. */
  seek(reference: string, asker?: number): StoredNetwork | undefined {
    try {
      return this.find(reference, asker);
    } catch (error) {
      if (error instanceof DvmError && error.code === "NO_SUCH_NETWORK") return undefined;
      throw error;
    }
  }

  /** @throws DvmError `NETWORK_IN_USE`, `NO_SUCH_NETWORK`, `NETWORK_INVALID` for one that is always there */
  async remove(reference: string): Promise<StoredNetwork> {
    if (RESERVED.has(reference)) {
      throw networkError(
        "NETWORK_INVALID",
        `${reference} is a pre-defined network and cannot be removed`,
      );
    }
    const network = this.find(reference);
    using _lock = await lockFile(this.#folder);
    const users = lookAtEndpoints().filter((each) => each.network.id === network.id);
    if (users.length > 0) {
      throw networkError(
        "NETWORK_IN_USE",
        `network ${network.name} has ${users.length} active endpoints`,
      );
    }
    rmSync(this.#path(network.id), { force: true });
    return network;
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}

/** Devices of containers that have just left go a little later: until then the host has routes to their subnets. */
async function releaseSubnets(): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { tryTidy } = await import("../../network/bridge/release-endpoints.ts");
  await tryTidy();
}

function isOwn(uid: number | undefined, owner: number | undefined): boolean {
  return (uid ?? process.getuid?.()) === (owner ?? process.getuid?.());
}

/** root has everybody's. */
function isTheirs(asker: number | undefined, owner: number | undefined): boolean {
  return asker === undefined || asker === 0 || asker === (owner ?? process.getuid?.());
}

function view(network: StoredNetwork, endpoints: readonly Endpoint[]): NetworkView {
  const { id, name, created, internal, labels, gateway, ipv6, owner } = network;
  return {
    ...(owner === undefined ? {} : { owner }),
    isBuiltIn: false,
    id,
    name,
    driver: "bridge",
    created,
    subnet: formatSubnet(network.subnet),
    gateway: formatIpv4(gateway),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    internal,
    labels,
    endpoints: endpoints.filter((each) => each.network.id === id),
  };
}

function builtIn(endpoints: readonly Endpoint[]): NetworkView[] {
  const members = endpoints.filter(({ network }) => network.bridge === DEFAULT_BRIDGE);
  const network = members[0]?.network;
  const plain = {
    isBuiltIn: true,
    created: "",
    subnet: "",
    gateway: "",
    internal: false,
    labels: {},
    endpoints: [],
  };
  return [
    {
      ...plain,
      id: "bridge",
      name: "bridge",
      driver: "bridge",
      endpoints: members,
      ...(network && {
        subnet: formatSubnet(network.subnet),
        gateway: formatIpv4(network.gateway),
      }),
    },
    { ...plain, id: "host", name: "host", driver: "host" },
    { ...plain, id: "none", name: "none", driver: "null" },
    { ...plain, id: "user", name: "user", driver: "user" },
  ];
}

function checkSubnet(text: string, used: readonly Subnet[]): Subnet {
  const subnet = parseSubnet(text);
  const fits = subnet && subnet.prefix >= SHORTEST_PREFIX && subnet.prefix <= LONGEST_PREFIX;
  if (!fits)
    throw networkError("NETWORK_INVALID", `invalid subnet: ${text.slice(0, 80)}`, {
      hint: `an IPv4 subnet with a prefix of ${SHORTEST_PREFIX} to ${LONGEST_PREFIX} bits, such as 10.20.0.0/16`,
    });
  const other = used.find((each) => overlap(subnet, each));
  if (other === undefined) return subnet;
  throw networkError(
    "SUBNET_OVERLAP",
    `subnet ${formatSubnet(subnet)} overlaps with ${formatSubnet(other)}, which this host has in use`,
  );
}

function checkGateway(text: string | undefined, subnet: Subnet): number {
  if (text === undefined) return subnet.base + 1;
  const gateway = parseIpv4(text);
  if (gateway === undefined || !contains(subnet, gateway) || gateway === subnet.base) {
    throw networkError("NETWORK_INVALID", `no matching subnet for gateway ${text.slice(0, 80)}`);
  }
  return gateway;
}

function readNetwork(path: string): StoredNetwork[] {
  try {
    const value: Partial<StoredNetwork> = JSON.parse(readFileSync(path, "utf8"));
    const isWhole =
      value.version === NETWORK_VERSION && value.id && value.name && value.bridge && value.subnet;
    return isWhole ? [value as StoredNetwork] : [];
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT")
      return [];
    throw error;
  }
}
