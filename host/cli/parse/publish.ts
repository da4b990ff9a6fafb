/** Ports: --publish and --expose, in Docker's grammar (docker/go-connections nat). */

import { isIP, isIPv4, isIPv6 } from "node:net";

/** A port that the host is to have; the engine's own shape. */
export interface PublishedPortFlag {
  /** address of the host; absent: all */
  readonly hostIp?: string;
  /** lowest and highest port of the host that will do; absent: any free one */
  readonly hostPorts?: readonly [number, number];
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
}

/**
 * `[[ip:]host:]container[/tcp|udp]`, an IPv6 address in brackets, each port a number or a range. Ranges of one length go side by side; a range of
 * the host for one port of the container is a choice.
 *
 * @throws Error with Docker's words
 */
export function parsePublish(text: string): PublishedPortFlag[] {
  const { protocol, rest } = splitProtocol(text);
  const { ip, host, container } = splitPlaces(rest);
  const [first, last] = parseRange(container, "containerPort");
  const hosts = host === "" ? undefined : parseRange(host, "hostPort");
  const count = last - first + 1;
  if (hosts !== undefined && count > 1 && hosts[1] - hosts[0] + 1 !== count) {
    throw new Error(
      `invalid ranges specified for container and host Ports: ${container} and ${host}`,
    );
  }
  if (first === 0) throw new Error(`invalid containerPort: ${container}`);
  return Array.from({ length: count }, (_, index) => ({
    ...(ip === "" ? {} : { hostIp: ip }),
    ...(hosts === undefined ? {} : { hostPorts: hostPortsOf(hosts, count, index) }),
    containerPort: first + index,
    protocol,
  }));
}

/** `port[-port][/tcp|udp]`, as it was written. @throws Error with Docker's words */
export function parseExpose(text: string): string {
  const { protocol, rest } = splitProtocol(text);
  if (rest.includes(":")) throw new Error(`invalid port format for --expose: ${text}`);
  const [first] = parseRange(rest, "port");
  if (first === 0) throw new Error(`invalid range format for --expose: ${text}`);
  return `${rest}/${protocol}`;
}

/** --mac-address. @throws Error with Docker's words */
export function parseMacAddress(text: string): string {
  const mac = text.toLowerCase().replaceAll("-", ":");
  const isMac = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac);
  if (!isMac) throw new Error(`${text} is not a valid mac address`);
  // the least bit of the first byte marks a group of stations (IEEE 802)
  if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 || mac === "00:00:00:00:00:00") {
    throw new Error(`${text} is not the address of one station`);
  }
  return mac;
}

/** --ip6. @throws Error with Docker's words */
export function parseIp6Flag(text: string): string {
  if (!isIPv6(text) || text.includes("%")) throw new Error(`invalid IPv6 address: ${text}`);
  return text;
}

/** --ip. @throws Error with Docker's words */
export function parseIpFlag(text: string): string {
  if (!isIPv4(text)) throw new Error(`invalid IPv4 address: ${text}`);
  return text;
}

function splitProtocol(text: string): { readonly protocol: "tcp" | "udp"; readonly rest: string } {
  const [rest = "", protocol = "tcp", ...more] = text.split("/");
  const name = protocol.toLowerCase();
  if (more.length > 0 || (name !== "tcp" && name !== "udp")) {
    throw new Error(
      name === "sctp"
        ? `protocol sctp is not supported: ${text}`
        : `invalid proto: ${protocol || text}`,
    );
  }
  if (rest === "") throw new Error(`no port specified: ${text}<empty>`);
  return { protocol: name, rest };
}

function splitPlaces(rest: string) {
  const [bracketed = "", address = ""] = /^\[([^\]]*)\]/.exec(rest) ?? [];
  if (bracketed !== "" && isIP(address) === 0) throw new Error(`invalid IP address: ${address}`);
  // the brackets' colons are no separators
  const parts = rest.slice(bracketed.length).split(":");
  const container = parts.at(-1) ?? "";
  if (parts.length === 1) return { ip: "", host: "", container };
  const [ip = "", host = ""] = parts.length === 2 ? ["", parts[0]] : parts;
  if (bracketed !== "") {
    if (parts.length !== 3 || parts[0] !== "") throw new Error(`invalid containerPort: ${rest}`);
    return { ip: address, host, container };
  }
  if (parts.length > 3 || (ip !== "" && !isIPv4(ip))) {
    throw new Error(`invalid IP address: ${parts.slice(0, -2).join(":")}`);
  }
  return { ip, host, container };
}

function parseRange(text: string, what: string): readonly [number, number] {
  const [, low, high = low] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const [first, last] = [Number(low), Number(high)];
  if (low === undefined || first > 65_535 || last > 65_535 || last < first) {
    throw new Error(`invalid ${what}: ${text}`);
  }
  return [first, last];
}

/** 0 is any free port, as is no host part at all. */
function hostPortsOf(
  hosts: readonly [number, number],
  count: number,
  index: number,
): readonly [number, number] {
  return count === 1 ? hosts : [hosts[0] + index, hosts[0] + index];
}
