/** dvm image prune: removes images that nothing needs. */

import { Filters, hasLabel } from "../../api/docker/filters.ts";
import { openImages } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { filterFlagOf } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { filtersJson, helpFlag } from "../parse/image-flags.ts";
import { humanSize } from "../render/size.ts";
import { confirm } from "../terminal/confirm.ts";

const flags = {
  ...helpFlag,
  ...filterFlagOf('Provide filter values (e.g. "label=<key>=<value>")'),
  all: booleanFlag({ short: "a", help: "Remove all unused images, not just dangling ones" }),
  force: booleanFlag({ short: "f", help: "Do not prompt for confirmation" }),
} as const;

export const imagePrune: Command = {
  usage: "prune [OPTIONS]",
  summary: "Remove unused images",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm image prune' accepts no arguments");
    const filters = Filters.parse(filtersJson(values.filter), ["label", "label!", "dangling"]);
    const all = values.all || !filters.flag("dangling", true);
    const what = all
      ? "all images without at least one container associated to them"
      : "all dangling images";
    if (!values.force && !(await confirm(context, `WARNING! This will remove ${what}.`))) return 0;
    const images = await openImages(context);
    const labels = new Map((await images.list()).map(({ id, run }) => [id, run.labels]));
    const accepts = (id: string): boolean =>
      filters.get("label").every((wanted) => hasLabel(labels.get(id) ?? {}, wanted)) &&
      !filters.get("label!").some((unwanted) => hasLabel(labels.get(id) ?? {}, unwanted));
    const { untagged, deleted, reclaimed } = await images.prune({ all, accepts });
    if (untagged.length + deleted.length > 0) context.stdout.write("Deleted Images:\n");
    for (const name of untagged) context.stdout.write(`untagged: ${name}\n`);
    for (const digest of deleted) context.stdout.write(`deleted: ${digest}\n`);
    context.stdout.write(`\nTotal reclaimed space: ${humanSize(reclaimed)}\n`);
    return 0;
  },
};
