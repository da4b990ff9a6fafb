/** Names for /etc/hosts: `NAME:ADDRESS` in Docker's API, a line `ADDRESS NAME` here. */

import { isIP } from "node:net";
import { apiError } from "./errors.ts";

/** Docker's word for the host's address in the container's network. */
const HOST_GATEWAY = "host-gateway";

/** @throws DvmError `BAD_REQUEST` with Docker's words */
export function extraHostLine(text: string): string {
  const at = text.search(/[:=]/);
  const name = text.slice(0, Math.max(at, 0));
  const given = text.slice(at + 1);
  const address = /^\[.*\]$/.test(given) ? given.slice(1, -1) : given;
  const isAddress = isIP(address) !== 0 || address === HOST_GATEWAY;
  if (name === "" || !isAddress || /\s/.test(name)) {
    throw apiError("BAD_REQUEST", `bad format for add-host: ${JSON.stringify(text.slice(0, 200))}`);
  }
  return `${address} ${name}`;
}

/** What `extraHostLine` reads. */
export function extraHostText(line: string): string {
  const [address = "", name = ""] = line.split(/\s+/);
  return `${name}:${address}`;
}
