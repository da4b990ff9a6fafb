/** dvm images: the images of the store, as Docker's table. */

import { familiarName } from "../../api/docker/image-json.ts";
import type { ImageSummary } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { asText, booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { filterFlag, filterValues, helpFlag } from "../parse/image-flags.ts";
import { agoOf, timeOf } from "../render/age.ts";
import { renderRows } from "../render/rows.ts";
import { humanSize } from "../render/size.ts";

const flags = {
  ...helpFlag,
  ...filterFlag,
  all: booleanFlag({
    short: "a",
    help: "Show all images (there are no intermediate ones to hide)",
  }),
  digests: booleanFlag({ help: "Show digests" }),
  format: valueFlag({
    placeholder: "string",
    help: "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'",
    parse: asText,
  }),
  "no-trunc": booleanFlag({ help: "Don't truncate output" }),
  quiet: booleanFlag({ short: "q", help: "Only show image IDs" }),
} as const;

const TITLES = {
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  ID: "IMAGE ID",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
} as const;

export const images: Command = {
  usage: "images [OPTIONS] [REPOSITORY[:TAG]]",
  summary: "List images",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 1) throw cliError("ARGUMENTS", "'dvm images' requires at most 1 argument");
    using daemon = await context.openDaemon();
    const shown = await daemon.images.list(filterValues(values.filter));
    const lines = shown.flatMap((image) => linesOf(image, args[0], values));
    if (values.quiet) {
      context.stdout.write([...new Set(lines.map(({ ID }) => ID))].map((id) => `${id}\n`).join(""));
      return 0;
    }
    const columns = values.digests
      ? "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
      : "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
    context.stdout.write(
      renderRows(lines, { format: values.format, table: columns, titles: TITLES }),
    );
    return 0;
  },
};

interface ImageLine extends Readonly<Record<string, unknown>> {
  readonly ID: string;
}

/** A line for each name that fits; one that has none gets a line of its own. */
function linesOf(
  image: ImageSummary,
  wanted: string | undefined,
  values: { readonly "no-trunc": boolean },
): ImageLine[] {
  const names = image.RepoTags.map(splitName);
  const digests = new Map(image.RepoDigests.map((text) => splitAt(text, text.indexOf("@"))));
  const named = new Set(names.map(({ repository }) => repository));
  const bare = [...digests.keys()].filter((repository) => !named.has(repository));
  const rows = [...names, ...bare.map((repository) => ({ repository, tag: "<none>" }))];
  if (rows.length === 0) rows.push({ repository: "<none>", tag: "<none>" });
  const { Created: created, Id: id, Size: size } = image;
  return rows
    .filter((row) => wanted === undefined || fits(row, wanted))
    .map(({ repository, tag }) => ({
      Containers: "N/A",
      CreatedAt: timeOf(created),
      CreatedSince: agoOf(created),
      Digest: digests.get(repository) ?? "<none>",
      ID: values["no-trunc"] ? id : id.replace("sha256:", "").slice(0, 12),
      Repository: repository,
      SharedSize: "N/A",
      Size: humanSize(size),
      Tag: tag,
      UniqueSize: "N/A",
      VirtualSize: humanSize(size),
    }));
}

interface Name {
  readonly repository: string;
  readonly tag: string;
}

function splitName(name: string): Name {
  const [repository, tag] = splitAt(name, name.lastIndexOf(":"));
  return { repository, tag };
}

function splitAt(text: string, at: number): [string, string] {
  return [text.slice(0, at), text.slice(at + 1)];
}

function fits({ repository, tag }: Name, wanted: string): boolean {
  const name = familiarName(wanted);
  return name === repository || name === `${repository}:${tag}`;
}
