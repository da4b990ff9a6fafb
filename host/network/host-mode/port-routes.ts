/** Which of several passts a frame of the guest's is for: each answers for the ports that it was started with. */

import { parseFrame } from "../user/filter/ipv4-frame.ts";

/** A passt that has ports of the host, by the path of its socket. */
export interface PortRoute {
  readonly path: string;
  /** `tcp/80` */
  readonly ports: readonly string[];
}

const PROTOCOLS: Readonly<Record<number, string>> = { 6: "tcp", 17: "udp" };

/** What the guest sends from a port that one has is that one's; the rest is the first's. */
export function routeOf(
  frame: Uint8Array,
  byPort: ReadonlyMap<string, string>,
): string | undefined {
  if (byPort.size === 0) return undefined;
  const packet = parseFrame(frame);
  if (packet === undefined || packet === "arp" || packet.isFragment) return undefined;
  return byPort.get(`${PROTOCOLS[packet.protocol] ?? ""}/${packet.sourcePort}`);
}

export function byPort(routes: readonly PortRoute[]): Map<string, string> {
  return new Map(routes.flatMap(({ path, ports }) => ports.map((port) => [port, path] as const)));
}
