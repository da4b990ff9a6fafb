/** Networks and ports of a container between Docker's bodies and the engine's terms (moby api/types: HostConfig, EndpointSettings). */

import { isIP, isIPv4, isIPv6 } from "node:net";
import type { DaemonContainerConfig } from "../../engine/daemon/model.ts";
import type { NetworkSettings } from "../../engine/networks/network-settings.ts";
import type { PortRequest } from "../../network/port-mapping.ts";
import type { CreateBody, EndpointBody, HostConfigBody } from "./create-body.ts";
import { apiError } from "./errors.ts";

export type Networking = Pick<DaemonContainerConfig, "network" | "networking">;

type PortBindings = HostConfigBody["PortBindings"];

const MAX_PORT = 65_535;

/** @throws DvmError `BAD_REQUEST`, `UNSUPPORTED`, each naming the field */
export function readNetworking(body: CreateBody): Networking {
  const host = body.HostConfig;
  const network = body.NetworkDisabled ? "none" : host.NetworkMode || "default";
  const endpoints = body.NetworkingConfig.EndpointsConfig;
  const isOwn = (name: string) => name === network || ALIKE.has(`${name} ${network}`);
  const own = Object.entries(endpoints).find(([name]) => isOwn(name))?.[1];
  const others = Object.entries(endpoints).filter(([name]) => !isOwn(name));
  const aliases = [...new Set([own, ...others.map(([, one]) => one)].flatMap(readAliases))];
  const further = others.map(([name, endpoint]) => furtherNetwork(name, endpoint));
  const exposed = Object.keys(body.ExposedPorts);
  const ports = readPorts(host.PortBindings);
  const networking: NetworkSettings = {
    ...(further.length > 0 ? { further } : {}),
    ...readFurtherIps(others),
    ...(ports.length > 0 ? { ports } : {}),
    ...(host.PublishAllPorts ? { publishAll: true } : {}),
    ...(host.PublishAllPorts && exposed.length > 0 ? { exposed } : {}),
    ...readMac(own?.MacAddress || body.MacAddress),
    ...readAddress(own),
    ...(aliases.length > 0 ? { aliases } : {}),
    ...readPolicyTexts(host.Annotations),
  };
  return { network, ...(Object.keys(networking).length > 0 ? { networking } : {}) };
}

function readFurtherIps(
  others: readonly (readonly [string, EndpointBody])[],
): Pick<NetworkSettings, "furtherIps"> {
  const ips = others.flatMap(([name, endpoint]) => {
    const { ip } = readAddress(endpoint);
    return ip === undefined ? [] : [[name, ip] as const];
  });
  return ips.length === 0 ? {} : { furtherIps: Object.fromEntries(ips) };
}

/** Annotations that say what Docker's API has no field for: what may be reached, and how fast. */
const EGRESS_ANNOTATION = "dvm.egress";
const RATE_ANNOTATION = "dvm.network-rate";

function readPolicyTexts(annotations: HostConfigBody["Annotations"]) {
  const egress = annotations[EGRESS_ANNOTATION];
  const rate = annotations[RATE_ANNOTATION];
  return {
    ...(egress === undefined ? {} : { egress }),
    ...(rate === undefined ? {} : { rate }),
  };
}

/** Those annotations, as `readNetworking` takes them. */
export function policyAnnotations({
  networking: { egress, rate } = {},
}: Pick<DaemonContainerConfig, "networking">): Readonly<Record<string, string>> {
  return {
    ...(egress === undefined ? {} : { [EGRESS_ANNOTATION]: egress }),
    ...(rate === undefined ? {} : { [RATE_ANNOTATION]: rate }),
  };
}

/** The fields of the create body's own level, of `HostConfig`, and of `EndpointsConfig`. */
export function writeNetworking({ network, networking = {}, exposedPorts }: DaemonContainerConfig) {
  const {
    ports = [],
    publishAll = false,
    exposed = [],
    mac,
    ip,
    ip6,
    aliases,
    further = [],
    furtherIps = {},
  } = networking;
  const own = {
    ...(mac === undefined ? {} : { MacAddress: mac }),
    ...ipamConfig(ip, ip6),
    ...(aliases === undefined ? {} : { Aliases: aliases }),
  };
  return {
    exposed: [...new Set([...(exposedPorts ?? []), ...exposed].flatMap(eachPort))],
    host: {
      NetworkMode: network,
      PortBindings: writePorts(ports),
      PublishAllPorts: publishAll,
    },
    endpoints: {
      ...(Object.keys(own).length > 0 ? { [network]: own } : {}),
      ...Object.fromEntries(further.map((name) => [name, ipamConfig(furtherIps[name], undefined)])),
    },
  };
}

function ipamConfig(ip: string | undefined, ip6: string | undefined) {
  if (ip === undefined && ip6 === undefined) return {};
  return {
    IPAMConfig: {
      ...(ip === undefined ? {} : { IPv4Address: ip }),
      ...(ip6 === undefined ? {} : { IPv6Address: ip6 }),
    },
  };
}

/** How a further network is to be joined. @throws DvmError `UNSUPPORTED`, `BAD_REQUEST` */
export function readJoin(
  name: string,
  endpoint: EndpointBody | undefined,
): { readonly aliases: readonly string[]; readonly ip?: string } {
  if (endpoint?.IPAMConfig?.IPv6Address || endpoint?.MacAddress) {
    throw apiError(
      "UNSUPPORTED",
      `a MAC or IPv6 address of one's own in a further network (${name.slice(0, 100)}) is not supported`,
    );
  }
  const { ip } = readAddress(endpoint);
  return { aliases: readAliases(endpoint), ...(ip === undefined ? {} : { ip }) };
}

function furtherNetwork(name: string, endpoint: EndpointBody): string {
  readJoin(name, endpoint);
  return name;
}

/** Names that mean one network. */
const ALIKE: ReadonlySet<string> = new Set(["bridge default", "default bridge"]);

function readAliases(endpoint: EndpointBody | undefined): readonly string[] {
  return endpoint?.Aliases ?? [];
}

function readAddress(endpoint: EndpointBody | undefined): Pick<NetworkSettings, "ip" | "ip6"> {
  refuseEndpointWishes(endpoint);
  const { IPv4Address: ip = "", IPv6Address: ip6 = "" } = endpoint?.IPAMConfig ?? {};
  if (ip !== "" && !isIPv4(ip)) {
    throw apiError("BAD_REQUEST", `invalid IPv4 address: ${ip.slice(0, 100)}`);
  }
  if (ip6 !== "" && !isIPv6(ip6)) {
    throw apiError("BAD_REQUEST", `invalid IPv6 address: ${ip6.slice(0, 100)}`);
  }
  return { ...(ip === "" ? {} : { ip }), ...(ip6 === "" ? {} : { ip6 }) };
}

function refuseEndpointWishes(endpoint: EndpointBody | undefined): void {
  if (endpoint !== undefined && endpoint.Links.length > 0) {
    throw apiError("UNSUPPORTED", "links between containers are not supported");
  }
}

function readMac(text: string): Pick<NetworkSettings, "mac"> {
  if (text === "") return {};
  const mac = text.toLowerCase().replaceAll("-", ":");
  const isUnicast = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) && isUnicast) return { mac };
  throw apiError("BAD_REQUEST", `invalid MAC address: ${text.slice(0, 100)}`);
}

function readPorts(bindings: PortBindings): PortRequest[] {
  return Object.entries(bindings).flatMap(([key, hosts]) => {
    const [containerPort, protocol] = readContainerPort(key);
    // a port without a place on the host gets a free one, as in Docker
    const places = hosts.length > 0 ? hosts : [{ HostIp: "", HostPort: "" }];
    return places.map(({ HostIp, HostPort }) => ({
      ...readHostIp(HostIp),
      ...readHostPorts(HostPort),
      containerPort,
      protocol,
    }));
  });
}

function readContainerPort(key: string): readonly [number, "tcp" | "udp"] {
  const [, digits = "", protocol = "tcp"] = /^(\d{1,5})(?:\/(\w+))?$/.exec(key) ?? [];
  const port = Number(digits);
  if (digits === "" || port < 1 || port > MAX_PORT) {
    throw apiError(
      "BAD_REQUEST",
      `invalid port specification: ${JSON.stringify(key.slice(0, 100))}`,
    );
  }
  const name = protocol.toLowerCase();
  if (name === "tcp" || name === "udp") return [port, name];
  throw apiError(
    "UNSUPPORTED",
    `publishing ports of protocol ${protocol.slice(0, 20)} is not supported`,
  );
}

function readHostIp(text: string): Pick<PortRequest, "hostIp"> {
  // all of IPv4, and of IPv6 where the container has it
  if (text === "" || text === "0.0.0.0") return {};
  if (isIP(text) !== 0) return { hostIp: text };
  throw apiError("BAD_REQUEST", `invalid IP address: ${text.slice(0, 100)}`);
}

function readHostPorts(text: string): Pick<PortRequest, "hostPorts"> {
  if (text === "" || text === "0") return {};
  const [, low = "", high = low] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const [first, last] = [Number(low), Number(high)];
  if (low === "" || first > last || last > MAX_PORT) {
    throw apiError(
      "BAD_REQUEST",
      `invalid port specification: ${JSON.stringify(text.slice(0, 100))}`,
    );
  }
  return { hostPorts: [first, last] };
}

function writePorts(ports: readonly PortRequest[]): PortBindings {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { containerPort, protocol, hostIp = "", hostPorts } of ports) {
    const [first, last] = hostPorts ?? [0, 0];
    const key = `${containerPort}/${protocol}`;
    bindings[key] = [
      ...(bindings[key] ?? []),
      { HostIp: hostIp, HostPort: first === last ? `${first || ""}` : `${first}-${last}` },
    ];
  }
  return bindings;
}

/** `80/tcp` of `80`, and each port of a range. */
function eachPort(text: string): string[] {
  const [, low = "", high = low, protocol = "tcp"] =
    /^(\d{1,5})-(\d{1,5})\/(\w+)$/.exec(text) ?? [];
  if (low === "") return [text];
  const count = Math.max(0, Math.min(Number(high), MAX_PORT) - Number(low) + 1);
  return Array.from({ length: count }, (_, index) => `${Number(low) + index}/${protocol}`);
}
