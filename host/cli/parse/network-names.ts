/** Names and addresses of the network: --add-host, --dns, --dns-search. */

import { isIP } from "node:net";

/** Labels of a domain with at least one letter (docker/cli opts.domainRegexp). */
const DOMAIN =
  /^(:?(:?[a-zA-Z0-9]|(:?[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))(:?\.(:?[a-zA-Z0-9]|(:?[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])))*)\.?\s*$/;

/** Docker's word for the host's address in the container's network. */
const HOST_GATEWAY = "host-gateway";

/** --add-host NAME:ADDRESS or NAME=ADDRESS, as a line of /etc/hosts. @throws Error with Docker's words */
export function parseExtraHost(text: string): string {
  const at = text.search(/[:=]/);
  const name = text.slice(0, Math.max(at, 0));
  if (name === "") throw new Error(`bad format for add-host: ${JSON.stringify(text)}`);
  const given = text.slice(at + 1);
  const address = /^\[.*\]$/.test(given) ? given.slice(1, -1) : given;
  if (isIP(address) === 0 && address !== HOST_GATEWAY)
    throw new Error(`invalid IP address in add-host: ${JSON.stringify(given)}`);
  return `${address} ${name}`;
}

/** --dns ADDRESS. @throws Error with Docker's words */
export function parseDnsServer(text: string): string {
  const address = text.trim();
  if (isIP(address) === 0) throw new Error(`IP address is not correctly formatted: ${text}`);
  return address;
}

/** --dns-search DOMAIN; `.` for none. @throws Error with Docker's words */
export function parseDnsSearch(text: string): string {
  const domain = text.trim();
  if (domain === ".") return domain;
  const fits = domain.length < 255 && /[a-zA-Z]/.test(domain) && DOMAIN.test(domain);
  if (!fits) throw new Error(`${text} is not a valid domain`);
  return domain;
}
