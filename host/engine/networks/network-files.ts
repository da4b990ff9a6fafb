/** What the network puts into the container's /etc/hosts and /etc/resolv.conf, as Docker does. */

import type { ContainerSpec } from "#protocol";
import type { PreparedNetwork } from "../../network/prepared-network.ts";
import type { ContainerConfig } from "../container-config.ts";

/** Docker's word for the host's address in the container's network. */
const HOST_GATEWAY = /^host-gateway(?=\s)/;

/** Whether a line of the user's for /etc/hosts names the host. */
export function namesHost(line: string): boolean {
  return HOST_GATEWAY.test(line);
}

/** The user's own name servers replace the network's; the container finds itself by its name. */
export function networkFiles(
  hostname: string,
  { extraHosts, dns, domainname }: Pick<ContainerConfig, "extraHosts" | "dns" | "domainname">,
  network: PreparedNetwork,
): Pick<ContainerSpec, "extraHosts" | "dns"> {
  const names = domainname ? `${hostname}.${domainname} ${hostname}` : hostname;
  const own = network.interfaces.flatMap(({ addresses }) =>
    addresses.map((address) => `${address.replace(/\/.*/, "")} ${names}`),
  );
  const wanted = extraHosts.map((line) => line.replace(HOST_GATEWAY, network.gateway ?? ""));
  return {
    extraHosts: [...wanted, ...(network.hosts ?? []), ...own],
    dns: { ...dns, servers: dns.servers.length > 0 ? dns.servers : network.nameServers },
  };
}
