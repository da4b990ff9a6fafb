/** dvm inspect: everything about containers, images, networks and volumes, as Docker's JSON or by a template. */

import type { DaemonClient } from "../../api/client/daemon-client.ts";
import { imageJson } from "../../api/docker/image-json.ts";
import { openImages } from "../../api/engine-api.ts";
import type { CliContext, Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { checkCount, helpFlag, objectFormatFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { renderError } from "../render/error.ts";
import { renderObjects } from "../render/objects.ts";

const TYPES = ["container", "image", "network", "volume"] as const;
type Type = (typeof TYPES)[number];

const flags = {
  ...helpFlag,
  ...objectFormatFlag,
  size: booleanFlag({
    short: "s",
    help: "Display total file sizes if the type is container",
  }),
  type: valueFlag({
    placeholder: "string",
    help: "Only inspect objects of the given type",
    parse: (text) => {
      const type = TYPES.find((known) => known === text);
      if (type === undefined) throw new Error(`it must be one of ${TYPES.join(", ")}`);
      return type;
    },
  }),
} as const;

export const inspect: Command = inspectCommand({
  usage: "inspect [OPTIONS] NAME|ID [NAME|ID...]",
  summary: "Return low-level information on containers, images, networks and volumes",
  types: TYPES,
});

export const containerInspect: Command = inspectCommand({
  usage: "inspect [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Display detailed information on one or more containers",
  types: ["container"],
});

function inspectCommand(about: {
  readonly usage: string;
  readonly summary: string;
  readonly types: readonly Type[];
}): Command {
  const { type, ...others } = flags;
  const own =
    about.types.length > 1 ? { ...others, type } : { ...others, type: { ...type, hidden: true } };
  return {
    usage: about.usage,
    summary: about.summary,
    flags: own,
    run: async (words, context) => {
      const { values, args } = parseFlags(own, words);
      checkCount(args, "inspect", { least: 1, most: Number.POSITIVE_INFINITY });
      const types = values.type === undefined ? about.types : [values.type];
      const render = renderObjects(values.format);
      using daemon = await context.openDaemon();
      const found: unknown[] = [];
      let exitCode = 0;
      for (const reference of args) {
        try {
          found.push(await find({ context, daemon, reference, types, size: values.size }));
        } catch (error) {
          context.stderr.write(renderError(error, { name: "inspect" }));
          exitCode = 1;
        }
      }
      context.stdout.write(render(found));
      return exitCode;
    },
  };
}

interface Search {
  readonly context: CliContext;
  readonly daemon: DaemonClient;
  readonly reference: string;
  readonly types: readonly Type[];
  readonly size: boolean;
}

/** The first kind of thing that has the name. */
async function find({ context, daemon, reference, types, size }: Search): Promise<unknown> {
  const ways: Record<Type, () => Promise<unknown>> = {
    container: () => daemon.inspect(reference, size),
    image: async () => imageJson(await (await openImages(context)).find(reference)),
    network: () => daemon.inspectNetwork(reference),
    volume: () => daemon.inspectVolume(reference),
  };
  let failure: unknown;
  for (const type of types) {
    try {
      return await ways[type]();
    } catch (error) {
      if (!isMissing(error)) throw error;
      failure = error;
    }
  }
  throw types.length > 1 ? cliError("NO_SUCH_OBJECT", `no such object: ${reference}`) : failure;
}

const MISSING: ReadonlySet<string> = new Set([
  "NO_SUCH_CONTAINER",
  "IMAGE_NOT_FOUND",
  "REFERENCE_INVALID",
  "NO_SUCH_NETWORK",
  "NO_SUCH_VOLUME",
]);

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return MISSING.has(String(code));
}
