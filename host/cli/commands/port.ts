/** dvm port: which ports of the host lead to a container. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";

export const port: Command = {
  usage: "port CONTAINER [PRIVATE_PORT[/PROTO]]",
  summary: "List port mappings or a specific mapping for the container",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    checkCount(args, "port", { least: 1, most: 2 });
    const [container = "", wanted] = args;
    using daemon = await context.openDaemon();
    const { NetworkSettings: network } = await daemon.details(container);
    if (wanted === undefined) {
      const lines = Object.entries(network.Ports).flatMap(([inside, bindings]) =>
        bindings.map((binding) => `${inside} -> ${address(binding)}\n`),
      );
      context.stdout.write(lines.toSorted(byPort).join(""));
      return 0;
    }
    const name = portName(wanted);
    const bindings = Object.hasOwn(network.Ports, name) ? (network.Ports[name] ?? []) : [];
    if (bindings.length === 0) {
      throw cliError("WRONG_STATE", `no public port '${name}' published for ${container}`);
    }
    context.stdout.write(bindings.map((binding) => `${address(binding)}\n`).join(""));
    return 0;
  },
};

/** `80` is `80/tcp`. */
function portName(text: string): string {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text);
  if (match === null) throw cliError("ARGUMENTS", `invalid port: ${text}`);
  return `${Number(match[1])}/${match[2] ?? "tcp"}`;
}

function address({ HostIp, HostPort }: { HostIp: string; HostPort: string }): string {
  return `${HostIp.includes(":") ? `[${HostIp}]` : HostIp}:${HostPort}`;
}

function byPort(a: string, b: string): number {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : Number(a > b));
}
