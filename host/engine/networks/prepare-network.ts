/** The network of one container, made before its machine and taken down after it. */

import type { PortRequest } from "../../network/port-mapping.ts";
import type { PreparedNetwork } from "../../network/prepared-network.ts";
import type { ContainerConfig } from "../container-config.ts";
import { engineError } from "../errors.ts";
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
}

/** No card at all: the guest has its loopback device. */
export const NO_NETWORK: PreparedNetwork = {
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
export async function prepareNetwork(options: PrepareNetworkOptions): Promise<PreparedNetwork> {
  const settings = options.config.networking ?? {};
  const mode = networkMode(options.config.network);
  checkSettings(mode, settings);
  const ports = wantedPorts(settings, options.exposedPorts);
  switch (mode) {
    case "none":
      return NO_NETWORK;
    case "user": {
      const { openUserNetwork } = await import("../../network/user/user-network.ts");
      const { container, runDirectory } = options;
      const { mac } = settings;
      return openUserNetwork({ container, runDirectory, ports, ...(mac ? { mac } : {}) });
    }
    case "bridge":
    case "named":
      return joinBridges(options, ports);
  }
}

/**
 * The network of a machine that an earlier engine connected, to be taken down at its end. passt ends with the machine
 * by itself; endpoints in bridges are on disk by their run directory.
 */
export function adoptNetwork(runDirectory: string): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      if (process.getuid?.() !== 0) return;
      const { closeBridgeNetworks } = await import("../../network/bridge/open-bridge-network.ts");
      await closeBridgeNetworks(runDirectory);
    },
  };
}

type NetworkMode = "none" | "user" | "bridge" | "named";

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
      return name;
    case "default":
      return uid === 0 ? ROOT_DEFAULT : "user";
    case "host":
      throw engineError("NOT_SUPPORTED", "--network host is not supported", {
        hint: "a machine has a network stack of its own: publish its ports with -p",
      });
    default:
      if (!name.startsWith("container:")) return "named";
      throw engineError("NOT_SUPPORTED", `--network ${name.slice(0, 80)} is not supported`, {
        hint: "put both containers into a network of their own: dvm network create NAME",
      });
  }
}

const ROOT_DEFAULT = "bridge";

/** A setting that a mode cannot heed is refused, not forgotten. */
function checkSettings(mode: NetworkMode, settings: NetworkSettings): void {
  const { ip, aliases = [], mac, ports = [], publishAll, further = [] } = settings;
  if (mode !== "named" && (ip !== undefined || aliases.length > 0)) {
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
  if (mode !== "none") return;
  if (mac !== undefined) {
    throw engineError("CONFIG_INVALID", "conflicting options: mac-address and the network mode");
  }
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
): Promise<PreparedNetwork> {
  const [{ openBridgeNetwork }, { NetworkStore }] = await Promise.all([
    import("../../network/bridge/open-bridge-network.ts"),
    import("./network-store.ts"),
  ]);
  const { container, runDirectory, names, config } = options;
  const { mac, ip, aliases = [], further = [] } = config.networking ?? {};
  const store = new NetworkStore(options.dataRoot);
  const wanted = [config.network, ...further].map((name) => ({
    network: networkMode(name) === "named" ? store.find(name) : undefined,
  }));
  if (new Set(wanted.map(({ network }) => network?.id)).size < wanted.length) {
    throw engineError("CONFIG_INVALID", "a network is named twice");
  }
  await using undo = new AsyncDisposableStack();
  const joined: PreparedNetwork[] = [];
  for (const [index, { network }] of wanted.entries()) {
    const isFirst = index === 0;
    const one = await openBridgeNetwork({
      container,
      runDirectory,
      ...(network === undefined ? {} : { network }),
      interfaceName: `eth${index}`,
      isDefaultRoute: joined.every((each) => each.interfaces[0]?.gateways.length === 0),
      ports: isFirst ? ports : [],
      ...(isFirst && ip !== undefined ? { ip } : {}),
      ...(isFirst && mac !== undefined ? { mac } : {}),
      names: [...new Set([...names, ...aliases])],
    });
    joined.push(undo.use(one));
  }
  const held = undo.move();
  return {
    devices: joined.flatMap(({ devices }) => devices),
    interfaces: joined.flatMap(({ interfaces }) => interfaces),
    nameServers: joined.flatMap(({ nameServers }) => nameServers),
    ports: joined.flatMap((each) => each.ports),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
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
