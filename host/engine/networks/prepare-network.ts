/** The network of one container, made before its machine and taken down after it. */

import type { PortRequest } from "../../network/port-mapping.ts";
import type { PortFollower, PreparedNetwork } from "../../network/prepared-network.ts";
import type { ContainerConfig } from "../container-config.ts";
import { engineError } from "../errors.ts";
import { readPolicy } from "./card-policy.ts";
import type { ContainerNetworks, NetworkAttachment } from "./container-networks.ts";
import { namesHost } from "./network-files.ts";
import type { NetworkSettings } from "./network-settings.ts";

export interface PrepareNetworkOptions {
  /** id of the container */
  readonly container: string;
  readonly config: Pick<ContainerConfig, "network" | "networking">;
  /** `port/protocol` that the image exposes */
  readonly exposedPorts: readonly string[];
  /** what the container is called by others in its network */
  readonly names: readonly string[];
  /** where the networks that users have made are kept */
  readonly dataRoot: string;
  /** private folder of the machine */
  readonly runDirectory: string;
  /** uid whose container it is; absent: the engine's own user's */
  readonly owner?: number | undefined;
}

/** What the machine needs, and what its users see of it. */
export interface ConnectedNetwork extends PreparedNetwork, ContainerNetworks {}

/** No card at all: the guest has its loopback device. */
export const NO_NETWORK: ConnectedNetwork = {
  attachments: [],
  devices: [],
  interfaces: [],
  nameServers: [],
  ports: [],
  [Symbol.asyncDispose]: async () => {},
};

/**
 * @throws DvmError for settings that the mode does not have, ports in use, a program that is missing; nothing is
 * left behind then
 */
export async function prepareNetwork(options: PrepareNetworkOptions): Promise<ConnectedNetwork> {
  const settings = options.config.networking ?? {};
  const mode = networkMode(options.config.network);
  checkNetwork(options.config);
  const ports = wantedPorts(settings, options.exposedPorts);
  switch (mode) {
    case "none":
    case "container":
      return NO_NETWORK;
    case "user": {
      const { openUserNetwork } = await import("../../network/user/user-network.ts");
      const { container, runDirectory } = options;
      const { mac } = settings;
      const policy = readPolicy(options.config);
      const opened = await openUserNetwork({
        container,
        runDirectory,
        ports,
        ...(mac ? { mac } : {}),
        ...(policy === undefined ? {} : { policy }),
      });
      const network = { name: "user", id: "user" };
      return connected(opened, [attachment(network, opened, options.names)]);
    }
    case "host": {
      const { openHostNetwork } = await import("../../network/host-mode/host-network.ts");
      const opened = await openHostNetwork(options);
      return connected(opened, [attachment({ name: "host", id: "host" }, opened, options.names)]);
    }
    case "bridge":
    case "named":
      return joinBridges(options, ports);
  }
}

/**
 * The network of a machine that an earlier engine connected, to be taken down at its end: its name service and the
 * holds on its ports ended with that engine and are taken up again. passt ends with the machine by itself; endpoints
 * in bridges are on disk by their run directory.
 */
export async function adoptNetwork(runDirectory: string): Promise<AdoptedNetwork> {
  await using adopted = new AsyncDisposableStack();
  const { adoptHostNetwork } = await import("../../network/host-mode/host-network.ts");
  const publisher = await adoptHostNetwork(runDirectory);
  if (publisher !== undefined) adopted.use(publisher);
  const { adoptUserNetwork } = await import("../../network/user/user-network.ts");
  adopted.use(adoptUserNetwork(runDirectory));
  if (process.getuid?.() === 0) {
    const { adoptBridgeNetworks } = await import("../../network/bridge/open-bridge-network.ts");
    adopted.use(await adoptBridgeNetworks(runDirectory));
  }
  const kept = adopted.move();
  return {
    ...(publisher === undefined ? {} : { follower: publisher }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

interface AdoptedNetwork extends AsyncDisposable {
  readonly follower?: PortFollower;
}

type NetworkMode = "none" | "user" | "bridge" | "host" | "container" | "named";

/**
 * The mode by the name that a user gives it.
 *
 * @throws DvmError `NOT_SUPPORTED`
 */
export function networkMode(
  name: string,
  uid: number | undefined = process.getuid?.(),
): NetworkMode {
  switch (name) {
    case "none":
    case "user":
    case "bridge":
    case "host":
      return name;
    case "default":
      return uid === 0 ? ROOT_DEFAULT : "user";
    default:
      return name.startsWith("container:") ? "container" : "named";
  }
}

const ROOT_DEFAULT = "bridge";

type CheckedConfig = Pick<ContainerConfig, "network" | "networking"> &
  Partial<Pick<ContainerConfig, "extraHosts">>;

/**
 * A setting that a mode cannot heed is refused, not forgotten.
 *
 * @throws DvmError `CONFIG_INVALID`, `NOT_SUPPORTED`
 */
export function checkNetwork(config: CheckedConfig): void {
  const mode = networkMode(config.network);
  if ((mode === "none" || mode === "user") && config.extraHosts?.some(namesHost)) {
    throw engineError("CONFIG_INVALID", `in network ${mode} a container does not reach its host`, {
      hint: "--add-host NAME:host-gateway needs a bridge, or --network host",
    });
  }
  const {
    ip: four,
    ip6,
    aliases = [],
    mac,
    ports = [],
    publishAll,
    further = [],
  } = config.networking ?? {};
  const ip = four ?? ip6;
  const hasNames = [config.network, ...further].some((name) => networkMode(name) === "named");
  if ((mode !== "named" && ip !== undefined) || (!hasNames && aliases.length > 0)) {
    const what = ip === undefined ? "network-scoped aliases are" : "a specified IP address is";
    throw engineError("CONFIG_INVALID", `${what} supported for user-defined networks only`);
  }
  const isBridge = (name: string) => ["bridge", "named"].includes(networkMode(name));
  if (
    further.length > 0 &&
    !(isBridge(mode === "named" ? "named" : mode) && further.every(isBridge))
  ) {
    throw engineError("CONFIG_INVALID", "several networks are supported for bridges only");
  }
  if (mode !== "none" && mode !== "host") return;
  if (mac !== undefined) {
    throw engineError("CONFIG_INVALID", "conflicting options: mac-address and the network mode");
  }
  // as in Docker, what is asked for of the host's own network is there anyway
  if (mode === "host") return;
  if (ports.length > 0 || publishAll) {
    throw engineError("CONFIG_INVALID", "conflicting options: port publishing and network none", {
      hint: "leave --network none out, or -p and -P",
    });
  }
}

/** A card for each network; the first has the ports, the address asked for, and the way to the outside. */
async function joinBridges(
  options: PrepareNetworkOptions,
  ports: readonly PortRequest[],
): Promise<ConnectedNetwork> {
  const [{ openBridgeNetwork }, { NetworkStore }] = await Promise.all([
    import("../../network/bridge/open-bridge-network.ts"),
    import("./network-store.ts"),
  ]);
  const { container, runDirectory, names, config } = options;
  const { mac, ip6, aliases = [], further = [] } = config.networking ?? {};
  const policy = readPolicy(config);
  const store = new NetworkStore(options.dataRoot);
  const wanted = [config.network, ...further].map((name) => ({
    network: networkMode(name) === "named" ? store.find(name, options.owner) : undefined,
  }));
  if (new Set(wanted.map(({ network }) => network?.id)).size < wanted.length) {
    throw engineError("CONFIG_INVALID", "a network is named twice");
  }
  await using undo = new AsyncDisposableStack();
  const joined: PreparedNetwork[] = [];
  const attachments: NetworkAttachment[] = [];
  const allNames = [...new Set([...names, ...aliases])];
  for (const [index, { network }] of wanted.entries()) {
    const isFirst = index === 0;
    const one = await openBridgeNetwork({
      container,
      runDirectory,
      ...(network === undefined ? {} : { network }),
      interfaceName: `eth${index}`,
      isDefaultRoute: joined.every((each) => each.interfaces[0]?.gateways.length === 0),
      ports: isFirst ? ports : [],
      ...addressIn(config, index),
      ...(isFirst && ip6 !== undefined ? { ip6 } : {}),
      ...(policy === undefined ? {} : { policy }),
      ...(isFirst && mac !== undefined ? { mac } : {}),
      names: allNames,
    });
    joined.push(undo.use(one));
    attachments.push(attachment(network ?? { name: "bridge", id: "bridge" }, one, allNames));
  }
  const held = undo.move();
  const [gateway] = joined.flatMap((each) => each.gateway ?? []);
  const all: PreparedNetwork = {
    ...(gateway === undefined ? {} : { gateway }),
    devices: joined.flatMap(({ devices }) => devices),
    interfaces: joined.flatMap(({ interfaces }) => interfaces),
    nameServers: joined.flatMap(({ nameServers }) => nameServers),
    ports: joined.flatMap((each) => each.ports),
    connect: async (spares, machine) => {
      const spare = (index: number) => spares?.slice(index, index + 1);
      await Promise.all(joined.map((each, index) => each.connect?.(spare(index), machine)));
    },
    settled: async () => void (await Promise.all(joined.map((each) => each.settled?.()))),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
  return connected(all, attachments);
}

/** The address that is asked for in a container's first network, or in one of the further ones. */
function addressIn(
  { networking = {} }: Pick<ContainerConfig, "networking">,
  index: number,
): { readonly ip?: string } {
  const { ip: first, further = [], furtherIps = {} } = networking;
  const ip = index === 0 ? first : furtherIps[further[index - 1] ?? ""];
  return ip === undefined ? {} : { ip };
}

function connected(
  network: PreparedNetwork,
  attachments: readonly NetworkAttachment[],
): ConnectedNetwork {
  // its disposal stays its own: another object's would lose it
  return Object.assign(network, { attachments });
}

/** What one card is in its network. */
function attachment(
  { name, id }: { readonly name: string; readonly id: string },
  { interfaces, gateway, gateway6 }: PreparedNetwork,
  names: readonly string[],
): NetworkAttachment {
  const { mac = "", addresses = [] } = interfaces[0] ?? {};
  const [address = "", prefix = "0"] = addresses[0]?.split("/") ?? [];
  const [address6 = "", prefix6 = "0"] = addresses[1]?.split("/") ?? [];
  const ipv6 = { address: address6, prefix: Number(prefix6), gateway: gateway6 ?? "" };
  return {
    name,
    id,
    mac,
    address,
    prefix: Number(prefix),
    gateway: gateway ?? "",
    ...(address6 === "" ? {} : { ipv6 }),
    names,
  };
}

/** What is asked for by number, and with -P what is exposed and not among that. */
function wantedPorts(
  { ports = [], publishAll = false, exposed = [] }: NetworkSettings,
  ofImage: readonly string[],
): PortRequest[] {
  if (!publishAll) return [...ports];
  const isAsked = (port: PortRequest) =>
    ports.some(
      ({ containerPort, protocol }) =>
        containerPort === port.containerPort && protocol === port.protocol,
    );
  const all = new Set([...ofImage, ...exposed]);
  return [...ports, ...[...all].flatMap(exposedPort).filter((port) => !isAsked(port))];
}

/** `80`, `80/tcp`, `8000-8010/udp`: the image's text, so what makes no sense is refused. */
function exposedPort(text: string): PortRequest[] {
  const [, low = "", high = low, protocol = "tcp"] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp))?$/i.exec(text) ?? [];
  const first = Number(low);
  const last = Number(high);
  if (low === "" || first < 1 || last > 65_535 || last < first) {
    throw engineError("CONFIG_INVALID", `invalid exposed port: ${text.slice(0, 80)}`);
  }
  return Array.from({ length: last - first + 1 }, (_, index) => ({
    containerPort: first + index,
    protocol: protocol.toLowerCase() === "udp" ? "udp" : "tcp",
  }));
}
