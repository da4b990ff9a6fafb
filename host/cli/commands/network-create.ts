/** dvm network create: a bridge network with a subnet and names. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { asText, booleanFlag, listFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { parseLabel } from "../parse/key-values.ts";

const flags = {
  driver: valueFlag({
    short: "d",
    placeholder: "string",
    help: "Driver to manage the Network",
    parse: parseDriver,
    defaultText: '"bridge"',
  }),
  gateway: listFlag({
    placeholder: "ip",
    help: "IPv4 or IPv6 Gateway for the subnet of its family",
    parse: asText,
  }),
  help: booleanFlag({ help: "Print usage" }),
  internal: booleanFlag({ help: "Restrict external access to the network" }),
  ipv6: booleanFlag({ help: "Enable IPv6 networking" }),
  label: listFlag({ help: "Set metadata on a network", parse: parseLabel }),
  subnet: listFlag({
    placeholder: "subnet",
    help: "Subnet in CIDR format that represents a network segment, one of a family",
    parse: asText,
  }),
} as const;

export const networkCreate: Command = {
  usage: "create [OPTIONS] NETWORK",
  summary: "Create a network",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    const [name] = args;
    if (name === undefined || args.length > 1) {
      throw cliError("ARGUMENTS", "'dvm network create' requires exactly 1 argument");
    }
    using daemon = await context.openDaemon();
    const id = await daemon.networks.create({
      name,
      internal: values.internal,
      labels: Object.fromEntries(values.label),
      ipv6: values.ipv6,
      subnets: values.subnet,
      gateways: values.gateway,
    });
    context.stdout.write(`${id}\n`);
    return 0;
  },
};

function parseDriver(text: string): "bridge" {
  if (text === "bridge") return text;
  throw new Error(`the only driver is bridge, not ${text}`);
}
