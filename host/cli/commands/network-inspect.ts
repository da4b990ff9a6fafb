/** dvm network inspect: networks and who is in them, in Docker's JSON. */

import { type NetworkView, openNetworks } from "../../api/network-api.ts";
import type { Command } from "../command.ts";
import { checkCount, helpFlag, objectFormatFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { renderError } from "../render/error.ts";
import { renderObjects } from "../render/objects.ts";

const flags = { ...helpFlag, ...objectFormatFlag } as const;

export const networkInspect: Command = {
  usage: "inspect [OPTIONS] NETWORK [NETWORK...]",
  summary: "Display detailed information on one or more networks",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "network inspect", { least: 1, most: Number.POSITIVE_INFINITY });
    const render = renderObjects(values.format);
    const networks = await openNetworks(context);
    const views = networks.views();
    const found: NetworkView[] = [];
    let exitCode = 0;
    for (const reference of args) {
      try {
        const builtIn = views.find(({ name }) => name === reference);
        const { id } = builtIn ?? networks.find(reference);
        found.push(...views.filter((view) => view.id === id));
      } catch (error) {
        context.stderr.write(renderError(error, { name: "network inspect" }));
        exitCode = 1;
      }
    }
    context.stdout.write(render(found.map(networkJson)));
    return exitCode;
  },
};

/** The fields that Docker shows (moby api/types/network Inspect), as far as they mean something here. */
function networkJson(view: NetworkView) {
  const prefix = view.subnet.slice(view.subnet.indexOf("/"));
  return {
    Name: view.name,
    Id: view.id,
    Created: view.created,
    Scope: "local",
    Driver: view.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: "default",
      Options: null,
      Config: view.subnet === "" ? [] : [{ Subnet: view.subnet, Gateway: view.gateway }],
    },
    Internal: view.internal,
    Containers: Object.fromEntries(
      view.endpoints.map(({ container, names, mac, address }) => [
        container,
        {
          Name: names[0] ?? "",
          MacAddress: mac,
          IPv4Address: `${address}${prefix}`,
          IPv6Address: "",
        },
      ]),
    ),
    Options: {},
    Labels: view.labels,
  };
}
