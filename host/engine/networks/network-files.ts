/** What the network puts into the container's /etc/hosts and /etc/resolv.conf, as Docker does. */

import type { ContainerSpec } from "#protocol";
import type { PreparedNetwork } from "../../network/prepared-network.ts";
import type { ContainerConfig } from "../container-config.ts";

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
  return {
    extraHosts: [...extraHosts, ...(network.hosts ?? []), ...own],
    dns: { ...dns, servers: dns.servers.length > 0 ? dns.servers : network.nameServers },
  };
}
