/** The three files below /etc that say who and where a container is. */

import type { ContainerSpec } from "../protocol/container-spec.ts";
import { containerError } from "./errors.ts";

export type EtcSpec = Pick<ContainerSpec, "hostname" | "extraHosts" | "dns">;

/** Contents by path in the container. */
export function etcFiles(spec: EtcSpec): Readonly<Record<string, string>> {
  return {
    "/etc/hostname": lines([spec.hostname]),
    "/etc/hosts": lines([...STANDARD_HOSTS, ...spec.extraHosts]),
    "/etc/resolv.conf": resolvConf(spec.dns),
  };
}

// what Docker writes (moby libnetwork/etchosts)
const STANDARD_HOSTS = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

/** The text of /etc/hosts without some lines, each once, and with others at its end. */
export function changeHosts(
  text: string,
  { remove, add }: { readonly remove: readonly string[]; readonly add: readonly string[] },
): string {
  const kept = text.split("\n");
  if (kept.at(-1) === "") kept.pop();
  for (const line of remove) {
    const index = kept.indexOf(line);
    if (index >= 0) kept.splice(index, 1);
  }
  return `${kept.map((line) => `${line}\n`).join("")}${lines(add)}`;
}

export function resolvConf({ servers, search, options }: EtcSpec["dns"]): string {
  return lines([
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}`]),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}`]),
  ]);
}

/** One value a line: a value with a line break would be two. */
function lines(values: readonly string[]): string {
  for (const value of values) {
    if (/[\0\n\r]/.test(value)) {
      throw containerError(
        "CONTAINER_SPEC",
        `line break in host or DNS settings: ${JSON.stringify(value.slice(0, 80))}`,
      );
    }
  }
  return values.map((value) => `${value}\n`).join("");
}
