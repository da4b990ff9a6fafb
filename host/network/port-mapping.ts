/** Which ports of a container the host is to have: as asked for, and as they come to be. */

import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { createServer, type Server } from "node:net";
import { networkError } from "./errors.ts";
import type { PublishedPort } from "./prepared-network.ts";

/** A port as the user asks for it. */
export interface PortRequest {
  /** address of the host; absent: all */
  readonly hostIp?: string;
  /** ports of the host that will do, lowest and highest; absent: any free one */
  readonly hostPorts?: readonly [number, number];
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
}

/** Ports that are taken, and stay so until they are let go of. */
export interface ReservedPorts extends AsyncDisposable {
  readonly ports: readonly PublishedPort[];
}

/** Most ports that one container publishes: each is a socket. */
const MAX_PORTS = 4096;
const ANY = "0.0.0.0";

/**
 * Takes the ports on the host by listening on them, so that nobody else has them.
 *
 * @throws DvmError `PORT_IN_USE`, `NETWORK_INVALID`; nothing is held then
 */
export async function reservePorts(requests: readonly PortRequest[]): Promise<ReservedPorts> {
  if (requests.length > MAX_PORTS) {
    throw networkError(
      "NETWORK_INVALID",
      `${requests.length} published ports are more than ${MAX_PORTS}`,
    );
  }
  await using held = new AsyncDisposableStack();
  const ports: PublishedPort[] = [];
  for (const request of requests) {
    const { port, socket } = await reserve(request);
    held.defer(() => close(socket));
    const { containerPort, protocol, hostIp = ANY } = request;
    ports.push({ hostIp, hostPort: port, containerPort, protocol });
  }
  const kept = held.move();
  return { ports, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/**
 * The requests as a container without IPv6 can have them: what is asked for on all addresses of IPv6 is IPv4's.
 *
 * @throws DvmError `NETWORK_INVALID` for a single address of IPv6
 */
export function withoutIpv6(requests: readonly PortRequest[]): PortRequest[] {
  return requests.map((request) => {
    const { hostIp = "", ...rest } = request;
    if (!hostIp.includes(":")) return request;
    if (hostIp === "::") return rest;
    throw networkError(
      "NETWORK_INVALID",
      `port [${hostIp}]:${request.hostPorts?.[0] ?? ""}: the container has no IPv6 address`,
      { hint: "publish the port of a container in a network that was made with --ipv6" },
    );
  });
}

/** The same ports again on every IPv6 address, of those that are asked for on every address. */
export function onIpv6(
  requests: readonly PortRequest[],
  ports: readonly PublishedPort[],
): PortRequest[] {
  return ports.flatMap(({ hostPort, containerPort, protocol }, index) =>
    requests[index]?.hostIp === undefined
      ? [{ hostIp: "::", hostPorts: [hostPort, hostPort], containerPort, protocol } as const]
      : [],
  );
}

type PortSocket = Server | DatagramSocket;

async function reserve(
  request: PortRequest,
): Promise<{ readonly port: number; readonly socket: PortSocket }> {
  const { hostIp = ANY, hostPorts = [0, 0], protocol } = request;
  const [lowest, highest] = hostPorts;
  for (let port = lowest; port <= highest; port++) {
    try {
      return await listen(protocol, hostIp, port);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== "EADDRINUSE" || port < highest) {
        if (code === "EADDRINUSE") continue;
        throw refusal(code, `${hostIp}:${port}/${protocol}`, error);
      }
    }
  }
  const range = lowest === highest ? `${lowest}` : `${lowest}-${highest}`;
  throw networkError("PORT_IN_USE", `port ${hostIp}:${range}/${protocol} is already in use`);
}

function refusal(code: string | undefined, what: string, cause: unknown): Error {
  switch (code) {
    case "EACCES":
      return networkError("NETWORK_PRIVILEGE", `port ${what} may not be published by this user`, {
        cause,
        hint: "publish on a port above 1023, or lower net.ipv4.ip_unprivileged_port_start",
      });
    case "EADDRNOTAVAIL":
      return networkError("NETWORK_INVALID", `port ${what}: no such address on this host`, {
        cause,
      });
    default:
      return networkError("NETWORK_FAILED", `port ${what}: ${(cause as Error).message}`, { cause });
  }
}

function listen(
  protocol: "tcp" | "udp",
  host: string,
  port: number,
): Promise<{ readonly port: number; readonly socket: PortSocket }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly port: number;
    readonly socket: PortSocket;
  }>();
  if (protocol === "tcp") {
    // nobody is ever answered here: what comes for the port goes to the container
    const socket = createServer((connection) => connection.destroy());
    socket.once("error", reject);
    socket.listen({ host, port, exclusive: true, ipv6Only: host.includes(":") }, () => {
      const address = socket.address();
      resolve({ port: typeof address === "object" ? (address?.port ?? port) : port, socket });
    });
  } else {
    const isIpv6 = host.includes(":");
    const socket = createSocket({ type: isIpv6 ? "udp6" : "udp4", ipv6Only: isIpv6 });
    socket.once("error", reject);
    socket.bind({ address: host, port, exclusive: true }, () =>
      resolve({ port: socket.address().port, socket }),
    );
  }
  return promise;
}

function close(socket: PortSocket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.close(() => resolve());
  return promise;
}
