/** A container's networks and ports as `inspect` and `ps` tell them, API 1.47 (moby api/types/network EndpointSettings). */

import type { ContainerView } from "../../engine/daemon/model.ts";
import type { NetworkAttachment } from "../../engine/networks/container-networks.ts";
import { networkMode } from "../../engine/networks/prepare-network.ts";
import type { PublishedPort } from "../../network/prepared-network.ts";

/** `NetworkSettings` of one container. @param view with its image's ports in the configuration */
export function networkSettingsJson(view: ContainerView): Record<string, unknown> {
  const { attachments = [] } = view.networks ?? {};
  const first = attachments.find(({ name }) => name === "bridge");
  return {
    Bridge: "",
    SandboxID: "",
    SandboxKey: "",
    Ports: portMap(view),
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    // what Docker tells here is of its default network
    EndpointID: first === undefined ? "" : endpointId(view, first),
    Gateway: first?.gateway ?? "",
    ...ipv6Json(first),
    IPAddress: first?.address ?? "",
    IPPrefixLen: first?.prefix ?? 0,
    MacAddress: first?.mac ?? "",
    Networks: networksJson(view),
  };
}

/** By name; those of one that does not run have no addresses. */
export function networksJson(view: ContainerView): Record<string, unknown> {
  const { config, networks } = view;
  const live = networks?.attachments ?? [];
  const { further = [], aliases } = config.networking ?? {};
  return Object.fromEntries(
    [...ownName(config.network), ...further].map((name) => {
      const found = live.find((each) => each.name === name || each.id.startsWith(name));
      return [found?.name ?? name, endpointJson(view, found, aliases)];
    }),
  );
}

/** Another container's network is told as that one's alone. */
function ownName(network: string): string[] {
  return networkMode(network) === "container" ? [] : [shownName(network)];
}

/** `Ports` of a list. */
export function summaryPorts(view: ContainerView): Record<string, unknown>[] {
  const { networks, config } = view;
  if (networks === undefined) return [];
  const published = networks.ports.map(({ hostIp, hostPort, containerPort, protocol }) => ({
    IP: hostIp,
    PrivatePort: containerPort,
    PublicPort: hostPort,
    Type: protocol,
  }));
  const open = new Set(networks.ports.map(portKey));
  const exposed = (config.exposedPorts ?? []).filter((key) => !open.has(key)).map(splitKey);
  return [
    ...published,
    ...exposed.map(([port, protocol]) => ({ PrivatePort: port, Type: protocol })),
  ];
}

/** The name that a network has in Docker's answers: the default one is told by its own. */
export function shownName(network: string): string {
  return network === "default" ? networkMode(network) : network;
}

function endpointJson(
  view: ContainerView,
  live: NetworkAttachment | undefined,
  aliases: readonly string[] | undefined,
): Record<string, unknown> {
  const { ip, ip6 } = view.config.networking ?? {};
  const wanted = {
    ...(ip === undefined ? {} : { IPv4Address: ip }),
    ...(ip6 === undefined ? {} : { IPv6Address: ip6 }),
  };
  return {
    IPAMConfig: Object.keys(wanted).length === 0 ? null : wanted,
    Links: null,
    Aliases: aliases ?? null,
    MacAddress: live?.mac ?? "",
    DriverOpts: null,
    NetworkID: live?.id ?? "",
    EndpointID: live === undefined ? "" : endpointId(view, live),
    Gateway: live?.gateway ?? "",
    IPAddress: live?.address ?? "",
    IPPrefixLen: live?.prefix ?? 0,
    ...ipv6Json(live),
    DNSNames: live === undefined ? null : live.names,
  };
}

function ipv6Json(live: NetworkAttachment | undefined) {
  return {
    IPv6Gateway: live?.ipv6?.gateway ?? "",
    GlobalIPv6Address: live?.ipv6?.address ?? "",
    GlobalIPv6PrefixLen: live?.ipv6?.prefix ?? 0,
  };
}

/** Nothing else is as much one's own: who is where. */
function endpointId({ id }: ContainerView, network: NetworkAttachment): string {
  return `${id.slice(0, 32)}${network.id.padEnd(32, "0").slice(0, 32)}`;
}

/** Published ports by the container's; those that are exposed only have null. */
function portMap({ networks, config }: ContainerView): Record<string, unknown> {
  if (networks === undefined) return {};
  const map: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const key of config.exposedPorts ?? []) map[key] = null;
  for (const port of networks.ports) {
    const key = portKey(port);
    const place = { HostIp: port.hostIp, HostPort: `${port.hostPort}` };
    map[key] = [...(map[key] ?? []), place];
  }
  return map;
}

function portKey({ containerPort, protocol }: PublishedPort): string {
  return `${containerPort}/${protocol}`;
}

function splitKey(key: string): readonly [number, string] {
  const [port, protocol = "tcp"] = key.split("/");
  return [Number.parseInt(port ?? "", 10), protocol];
}
