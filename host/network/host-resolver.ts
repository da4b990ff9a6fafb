/** The host's own name servers, as /etc/resolv.conf has them (resolv.conf(5)). */

import { readFileSync } from "node:fs";
import { isIP } from "node:net";

export interface HostResolver {
  readonly servers: readonly string[];
  readonly search: readonly string[];
}

/** Most servers that are asked, as in the C library (MAXNS). */
const MAX_SERVERS = 3;

export function hostResolver(path = "/etc/resolv.conf"): HostResolver {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // resolv.conf(5): without the file the local machine is asked
    text = "nameserver 127.0.0.1";
  }
  return parseResolver(text);
}

export function parseResolver(text: string): HostResolver {
  const lines = text.split("\n").map((line) =>
    line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/),
  );
  const servers = lines
    .filter(([key]) => key === "nameserver")
    .flatMap(([, server = ""]) => (isIP(server.replace(/%.*/, "")) === 0 ? [] : [server]));
  // the last of them counts
  const [, ...search] = lines.findLast(([key]) => key === "search" || key === "domain") ?? [];
  return { servers: servers.slice(0, MAX_SERVERS), search };
}
