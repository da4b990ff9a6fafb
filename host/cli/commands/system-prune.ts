/** dvm system prune: remove stopped containers, and networks, volumes and images that nothing needs. */

import { Filters } from "../../api/docker/filters.ts";
import { isToPrune, VOLUME_PRUNE_FILTERS } from "../../api/docker/volume-json.ts";
import { openImages } from "../../api/engine-api.ts";
import { openNetworks } from "../../api/network-api.ts";
import { openVolumes } from "../../api/volume-api.ts";
import type { CliContext, Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { checkCount, filterFlagOf, forceFlag, helpFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { filterValues } from "../parse/image-flags.ts";
import { humanSize } from "../render/size.ts";
import { confirm } from "../terminal/confirm.ts";

const flags = {
  ...helpFlag,
  ...forceFlag,
  ...filterFlagOf('Provide filter values (e.g. "label=<key>=<value>")'),
  all: booleanFlag({ short: "a", help: "Remove all unused images not just dangling ones" }),
  volumes: booleanFlag({ help: "Prune anonymous volumes" }),
} as const;

export const systemPrune: Command = {
  usage: "prune [OPTIONS]",
  summary: "Remove unused data",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "system prune", {});
    const filters = filterValues(values.filter);
    if (Object.keys(filters).length > 0) {
      throw cliError("UNSUPPORTED", "system prune takes no filters yet", {
        hint: "dvm container prune and dvm image prune do",
      });
    }
    if (!values.force && !(await confirm(context, warning(values)))) return 0;
    using daemon = await context.openDaemon();
    const containers = await daemon.prune({});
    const networks = await (await openNetworks(context)).prune();
    const volumes = values.volumes ? await pruneVolumes(context) : { names: [], reclaimed: 0 };
    const images = await (await openImages(context)).prune({ all: values.all });
    const { stdout } = context;
    stdout.write(section("Deleted Containers", containers.ContainersDeleted));
    stdout.write(
      section(
        "Deleted Networks",
        networks.map(({ name }) => name),
      ),
    );
    stdout.write(section("Deleted Volumes", volumes.names));
    stdout.write(
      section("Deleted Images", [
        ...images.untagged.map((name) => `untagged: ${name}`),
        ...images.deleted.map((digest) => `deleted: ${digest}`),
      ]),
    );
    const freed = containers.SpaceReclaimed + volumes.reclaimed + images.reclaimed;
    stdout.write(`Total reclaimed space: ${humanSize(freed)}\n`);
    return 0;
  },
};

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}:\n${lines.join("\n")}\n\n`;
}

/** Those without a name of their own that no container has. */
async function pruneVolumes(context: CliContext) {
  const anonymous = Filters.parse("", VOLUME_PRUNE_FILTERS);
  return (await openVolumes(context)).prune((volume) => isToPrune(anonymous, volume));
}

function warning({ all, volumes }: { readonly all: boolean; readonly volumes: boolean }): string {
  const lines = [
    "all stopped containers",
    "all networks that no container is in",
    ...(volumes ? ["all anonymous volumes that no container has"] : []),
    all ? "all images without a container" : "all dangling images",
  ];
  return `WARNING! This will remove:\n${lines.map((line) => `  - ${line}\n`).join("")}`;
}
