/** dvm system prune: remove stopped containers, and networks, volumes and images that nothing needs. */

import type { Command } from "../command.ts";
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
    if (values.volumes && filters.until !== undefined) {
      throw cliError("CONFLICT", 'the "until" filter is not supported with "--volumes"');
    }
    if (!values.force && !(await confirm(context, warning(values)))) return 0;
    using daemon = await context.openDaemon();
    const containers = await daemon.prune(filters);
    const networks = await daemon.networks.prune(filters);
    const volumes = values.volumes ? await daemon.volumes.prune(filters) : NO_VOLUMES;
    const images = await daemon.images.prune({ ...filters, dangling: [String(!values.all)] });
    const { stdout } = context;
    stdout.write(section("Deleted Containers", containers.ContainersDeleted));
    stdout.write(section("Deleted Networks", networks));
    stdout.write(section("Deleted Volumes", volumes.names));
    stdout.write(
      section(
        "Deleted Images",
        images.ImagesDeleted.map(({ Untagged: name, Deleted: digest }) =>
          name === "" ? `deleted: ${digest}` : `untagged: ${name}`,
        ),
      ),
    );
    const freed = containers.SpaceReclaimed + volumes.reclaimed + images.SpaceReclaimed;
    stdout.write(`Total reclaimed space: ${humanSize(freed)}\n`);
    return 0;
  },
};

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}:\n${lines.join("\n")}\n\n`;
}

const NO_VOLUMES = { names: [], reclaimed: 0 } as const;

function warning({ all, volumes }: { readonly all: boolean; readonly volumes: boolean }): string {
  const lines = [
    "all stopped containers",
    "all networks that no container is in",
    ...(volumes ? ["all anonymous volumes that no container has"] : []),
    all ? "all images without a container" : "all dangling images",
  ];
  return `WARNING! This will remove:\n${lines.map((line) => `  - ${line}\n`).join("")}`;
}
