/** Networks of a container that runs: the host's part, what its guest is asked for, and what users see then. */

import type { RequestOf } from "#protocol";
import type { LiveChange } from "../../network/bridge/live-network.ts";
import type { ContainerConfig } from "../container-config.ts";
import { engineError } from "../errors.ts";
import { readPolicy } from "./card-policy.ts";
import type { ContainerNetworks, NetworkAttachment } from "./container-networks.ts";
import { networkMode } from "./prepare-network.ts";

export interface LiveContainer {
  /** id of the container */
  readonly container: string;
  /** the name that it gives itself */
  readonly hostname: string;
  readonly config: Pick<
    ContainerConfig,
    "network" | "networking" | "dns" | "extraHosts" | "domainname"
  >;
  /** private folder of its machine */
  readonly runDirectory: string;
  readonly networks: ContainerNetworks;
  readonly ask: (request: RequestOf<"container.network">) => Promise<unknown>;
}

export interface JoinedNetwork extends AsyncDisposable {
  readonly networks: ContainerNetworks;
}

export interface JoinOptions {
  /** where the networks that users have made are kept */
  readonly dataRoot: string;
  /** name or id */
  readonly network: string;
  readonly owner?: number | undefined;
  /** what the container is called there */
  readonly names: readonly string[];
  readonly ip?: string | undefined;
}

/** @throws DvmError; neither the host nor the guest has changed then */
export async function joinNetwork(
  live: LiveContainer,
  { dataRoot, network: name, owner, names, ip }: JoinOptions,
): Promise<JoinedNetwork> {
  requireBridges(live);
  const [{ connectBridge }, { NetworkStore }] = await Promise.all([
    import("../../network/bridge/live-network.ts"),
    import("./network-store.ts"),
  ]);
  const isNamed = networkMode(name) === "named";
  const network = isNamed ? new NetworkStore(dataRoot).find(name, owner) : undefined;
  const policy = readPolicy(live.config);
  await using undo = new AsyncDisposableStack();
  const { container, runDirectory, networks } = live;
  const joined = undo.use(
    await connectBridge({
      container,
      runDirectory,
      names,
      ...(network === undefined ? {} : { network }),
      ...(ip === undefined ? {} : { ip }),
      ...(policy === undefined ? {} : { policy }),
    }),
  );
  const { endpoint, connect } = joined;
  await tellGuest(live, joined);
  const [{ addresses = [], mac = "" } = {}] = connect;
  const [address = "", prefix = "0"] = addresses[0]?.split("/") ?? [];
  const [address6, prefix6 = "0"] = addresses[1]?.split("/") ?? [];
  const { ipv6 } = endpoint.network;
  const attachment: NetworkAttachment = {
    ...(network === undefined
      ? { name: "bridge", id: "bridge" }
      : { name: network.name, id: network.id }),
    mac,
    address,
    prefix: Number(prefix),
    gateway: joined.gateway,
    ...(ipv6 === undefined || address6 === undefined
      ? {}
      : { ipv6: { address: address6, prefix: Number(prefix6), gateway: ipv6.gateway } }),
    names,
  };
  const held = undo.move();
  return {
    networks: { ...networks, attachments: [...networks.attachments, attachment] },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** @param network names and id of it @returns where the container is connected then */
export async function leaveNetwork(
  live: LiveContainer,
  network: readonly string[],
): Promise<ContainerNetworks> {
  requireBridges(live);
  const [{ disconnectBridge }, { DEFAULT_BRIDGE }] = await Promise.all([
    import("../../network/bridge/live-network.ts"),
    import("../../network/bridge/bridge-network.ts"),
  ]);
  const { attachments } = live.networks;
  const left = attachments.find(({ id, name }) => network.includes(id) || network.includes(name));
  if (left === undefined) {
    throw engineError("WRONG_STATE", `the container is not in network ${network[0]}`);
  }
  const id = left.id === "bridge" ? DEFAULT_BRIDGE : left.id;
  const change = await disconnectBridge(live.runDirectory, id);
  // the host has cut it off whatever the guest makes of that
  if (change !== undefined) await tellGuest(live, change);
  return { ...live.networks, attachments: attachments.filter((each) => each !== left) };
}

/** passt has one network, and no card is none. */
function requireBridges({ config }: LiveContainer): void {
  const mode = networkMode(config.network);
  // one that has left its last network has none, and its card still
  if (mode === "bridge" || mode === "named" || mode === "none") return;
  throw engineError(
    "CONFIG_INVALID",
    `a running container of network ${mode} can be in no other network`,
    { hint: "bridges may be joined and left: start it with --network bridge, or one of your own" },
  );
}

async function tellGuest(live: LiveContainer, change: LiveChange): Promise<void> {
  const { container, hostname, config, networks, ask } = live;
  const { dns, domainname } = config;
  const names = domainname ? `${hostname}.${domainname} ${hostname}` : hostname;
  const line = (address: string) => `${address.replace(/\/.*/, "")} ${names}`;
  const isKnown = (address: string) =>
    networks.attachments.some((each) =>
      [each.address, each.ipv6?.address].includes(address.replace(/\/.*/, "")),
    );
  const servers = dns.servers.length > 0 ? dns.servers : change.nameServers;
  await ask({
    type: "container.network",
    container,
    connect: change.connect,
    disconnect: change.disconnect,
    hosts: {
      remove: change.disconnect.flatMap(({ addresses }) => addresses.map(line)),
      add: change.connect.flatMap(({ addresses }) =>
        addresses.filter((each) => !isKnown(each)).map(line),
      ),
    },
    dns: { ...dns, servers },
  });
}
