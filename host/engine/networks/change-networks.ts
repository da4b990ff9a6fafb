/** Networks put into and taken out of the configuration of a container that does not run. */

import type { ContainerConfig } from "../container-config.ts";
import { engineError } from "../errors.ts";
import type { NetworkSettings } from "./network-settings.ts";
import { checkNetwork, networkMode } from "./prepare-network.ts";

/** @throws DvmError `WRONG_STATE` when it is in there already, `CONFIG_INVALID` */
export function withNetwork<T extends ContainerConfig>(
  config: T,
  network: string,
  { aliases, ip }: { readonly aliases: readonly string[]; readonly ip?: string },
): T {
  const { networking = {} } = config;
  const { further = [] } = networking;
  // moby libnetwork errors, ErrConflictSharedNetwork
  if (["container", "host"].includes(networkMode(config.network))) {
    throw engineError(
      "CONFIG_INVALID",
      "container sharing network namespace with another container or host cannot be connected to any other network",
    );
  }
  if (isCalled(config.network, [network]) || further.includes(network)) {
    throw engineError("WRONG_STATE", `the container is in network ${network} already`);
  }
  if (ip !== undefined && networkMode(network) !== "named") {
    throw engineError(
      "CONFIG_INVALID",
      "a specified IP address is supported for user-defined networks only",
    );
  }
  const names = [...(networking.aliases ?? []), ...aliases];
  // who was in none has its first now
  if (networkMode(config.network) === "none") {
    const own = ip === undefined ? {} : { ip };
    return checked({ ...config, network, networking: { ...networking, ...own, ...named(names) } });
  }
  const { furtherIps = {} } = networking;
  const ips = ip === undefined ? {} : { furtherIps: { ...furtherIps, [network]: ip } };
  const all = { ...networking, ...named(names), ...ips, further: [...further, network] };
  return checked({ ...config, networking: all });
}

/** The next network takes the place of the first. @throws DvmError `WRONG_STATE` when it is not in there */
export function withoutNetwork<T extends ContainerConfig>(
  config: T,
  network: readonly string[],
): T {
  const { networking = {} } = config;
  const { further = [], furtherIps = {}, ip, ip6, ...rest } = networking;
  const left = further.filter((each) => !network.includes(each));
  if (left.length < further.length) {
    const { furtherIps: _, ...others } = networking;
    const kept = { ...others, further: left, ...addresses(furtherIps, left) };
    return { ...config, networking: kept };
  }
  if (!isCalled(config.network, network)) {
    throw engineError("WRONG_STATE", `the container is not in network ${network[0]}`);
  }
  const [first = "none", ...others] = further;
  const { aliases, ports, publishAll, mac, ...none } = rest;
  // in Docker's default network nobody is called anything
  const kept = networkMode(first) === "named" ? rest : { ports, publishAll, mac, ...none };
  // without a network there is nothing to publish, and nobody to be called something by
  return first === "none"
    ? { ...config, network: first, networking: none }
    : {
        ...config,
        network: first,
        networking: {
          ...kept,
          further: others,
          ...addresses(furtherIps, others),
          ...(furtherIps[first] === undefined ? {} : { ip: furtherIps[first] }),
        },
      };
}

/** Those of the networks that are left. */
function addresses(
  all: Readonly<Record<string, string>>,
  networks: readonly string[],
): Pick<NetworkSettings, "furtherIps"> {
  const kept = Object.entries(all).filter(([name]) => networks.includes(name));
  return kept.length === 0 ? {} : { furtherIps: Object.fromEntries(kept) };
}

function checked<T extends ContainerConfig>(config: T): T {
  checkNetwork(config);
  return config;
}

function isCalled(own: string, network: readonly string[]): boolean {
  return network.includes(own === "default" ? networkMode(own) : own);
}

function named(aliases: readonly string[]): { readonly aliases?: readonly string[] } {
  return aliases.length > 0 ? { aliases } : {};
}
