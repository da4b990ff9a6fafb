/** Whether the host forwards packets between its interfaces: turned on for the containers, and off again after them. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const IPV4 = "/proc/sys/net/ipv4/ip_forward";
const IPV6 = "/proc/sys/net/ipv6/conf";

/** @returns whether forwarding was off before */
export function turnForwardingOn(): boolean {
  if (read(IPV4) !== "0") return false;
  writeFileSync(IPV4, "1");
  return true;
}

export function turnForwardingOff(): void {
  writeFileSync(IPV4, "0");
}

/**
 * The same of IPv6. A host that forwards listens to routers no more, and would lose its own way out: interfaces that
 * did are told to go on (accept_ra, kernel Documentation/networking/ip-sysctl.rst).
 *
 * @returns those interfaces, when forwarding was off before
 */
export function turnForwarding6On(): readonly string[] | undefined {
  if (!existsSync(IPV6) || read(`${IPV6}/all/forwarding`) !== "0") return undefined;
  const listening = readdirSync(IPV6).filter(
    (name) => name !== "all" && read(`${IPV6}/${name}/accept_ra`) === "1",
  );
  for (const name of listening) writeFileSync(`${IPV6}/${name}/accept_ra`, "2");
  writeFileSync(`${IPV6}/all/forwarding`, "1");
  return listening;
}

/** @param listening what `turnForwarding6On` returned; those that are gone are passed over */
export function turnForwarding6Off(listening: readonly string[]): void {
  if (existsSync(IPV6)) writeFileSync(`${IPV6}/all/forwarding`, "0");
  for (const name of listening) {
    const path = `${IPV6}/${name}/accept_ra`;
    if (existsSync(path) && read(path) === "2") writeFileSync(path, "1");
  }
}

function read(path: string): string {
  return readFileSync(path, "utf8").trim();
}
