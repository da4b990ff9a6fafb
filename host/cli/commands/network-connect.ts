/** dvm network connect and disconnect: put a container into a network, and take it out. */

import type { Command } from "../command.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { asText, booleanFlag, listFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { parseIpFlag } from "../parse/publish.ts";

const connectFlags = {
  ...helpFlag,
  alias: listFlag({ help: "Add network-scoped alias for the container", parse: asText }),
  ip: valueFlag({ placeholder: "string", help: "IPv4 address", parse: parseIpFlag }),
} as const;

export const networkConnect: Command = {
  usage: "connect [OPTIONS] NETWORK CONTAINER",
  summary: "Connect a container to a network",
  flags: connectFlags,
  run: async (words, context) => {
    const { values, args } = parseFlags(connectFlags, words);
    checkCount(args, "network connect", { least: 2 });
    const [network = "", container = ""] = args;
    using daemon = await context.openDaemon();
    const { alias: aliases, ip: address } = values;
    await daemon.networks.connect(network, { container, aliases, address });
    return 0;
  },
};

const disconnectFlags = {
  ...helpFlag,
  force: booleanFlag({
    short: "f",
    help: "Force the container to disconnect from a network",
  }),
} as const;

export const networkDisconnect: Command = {
  usage: "disconnect [OPTIONS] NETWORK CONTAINER",
  summary: "Disconnect a container from a network",
  flags: disconnectFlags,
  run: async (words, context) => {
    const { values, args } = parseFlags(disconnectFlags, words);
    checkCount(args, "network disconnect", { least: 2 });
    const [network = "", container = ""] = args;
    using daemon = await context.openDaemon();
    await daemon.networks.disconnect(network, { container, force: values.force });
    return 0;
  },
};
