/** Names for /etc/hosts: `NAME:ADDRESS` in Docker's API, a line `ADDRESS NAME` here. */

import { isIP } from "node:net";
import { apiError } from "./errors.ts";

/** Docker's word for an address of the host that containers reach it by. */
const HOST_GATEWAY = "host-gateway";

/** @throws DvmError `BAD_REQUEST` with Docker's words, `UNSUPPORTED` */
export function extraHostLine(text: string): string {
  const at = text.search(/[:=]/);
  const name = text.slice(0, Math.max(at, 0));
  const given = text.slice(at + 1);
  const address = /^\[.*\]$/.test(given) ? given.slice(1, -1) : given;
  if (address === HOST_GATEWAY && name !== "") {
    throw apiError("UNSUPPORTED", `an extra host of the address ${HOST_GATEWAY} is not supported`);
  }
  if (name === "" || isIP(address) === 0 || /\s/.test(name)) {
    throw apiError("BAD_REQUEST", `bad format for add-host: ${JSON.stringify(text.slice(0, 200))}`);
  }
  return `${address} ${name}`;
}

/** What `extraHostLine` reads. */
export function extraHostText(line: string): string {
  const [address = "", name = ""] = line.split(/\s+/);
  return `${name}:${address}`;
}
