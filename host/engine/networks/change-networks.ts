/** Networks put into and taken out of the configuration of a container that does not run. */

import type { ContainerConfig } from "../container-config.ts";
import { engineError } from "../errors.ts";
import { checkNetwork, networkMode } from "./prepare-network.ts";

/** @throws DvmError `WRONG_STATE` when it is in there already, `CONFIG_INVALID` */
export function withNetwork<T extends ContainerConfig>(
  config: T,
  network: string,
  aliases: readonly string[],
): T {
  const { networking = {} } = config;
  const { further = [] } = networking;
  if (isCalled(config.network, [network]) || further.includes(network)) {
    throw engineError("WRONG_STATE", `the container is in network ${network} already`);
  }
  const names = [...(networking.aliases ?? []), ...aliases];
  // who was in none has its first now
  if (networkMode(config.network) === "none") {
    return checked({ ...config, network, networking: { ...networking, ...named(names) } });
  }
  const all = { ...networking, ...named(names), further: [...further, network] };
  return checked({ ...config, networking: all });
}

/** The next network takes the place of the first. @throws DvmError `WRONG_STATE` when it is not in there */
export function withoutNetwork<T extends ContainerConfig>(
  config: T,
  network: readonly string[],
): T {
  const { networking = {} } = config;
  const { further = [], ip, ...rest } = networking;
  const left = further.filter((each) => !network.includes(each));
  if (left.length < further.length) {
    return { ...config, networking: { ...networking, further: left } };
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
    : { ...config, network: first, networking: { ...kept, further: others } };
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
