/** dvm inspect: everything about containers, images, networks and volumes, as Docker's JSON or by a template. */

import type { DaemonClient } from "../../api/client/daemon-client.ts";
import type { Command } from "../command.ts";
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

export const imageInspect: Command = inspectCommand({
  usage: "inspect [OPTIONS] IMAGE [IMAGE...]",
  summary: "Display detailed information on one or more images",
  types: ["image"],
});

export const networkInspect: Command = inspectCommand({
  usage: "inspect [OPTIONS] NETWORK [NETWORK...]",
  summary: "Display detailed information on one or more networks",
  types: ["network"],
});

export const volumeInspect: Command = inspectCommand({
  usage: "inspect [OPTIONS] VOLUME [VOLUME...]",
  summary: "Display detailed information on one or more volumes",
  types: ["volume"],
});

function inspectCommand(about: {
  readonly usage: string;
  readonly summary: string;
  readonly types: readonly Type[];
}): Command {
  const [only = "container", ...others] = about.types;
  const name = others.length > 0 ? "inspect" : `${only} inspect`;
  const { type, size } = flags;
  const own = {
    ...flags,
    type: others.length > 0 ? type : { ...type, hidden: true },
    size: only === "container" ? size : { ...size, hidden: true },
  };
  return {
    usage: about.usage,
    summary: about.summary,
    flags: own,
    run: async (words, context) => {
      const { values, args } = parseFlags(own, words);
      checkCount(args, name, { least: 1, most: Number.POSITIVE_INFINITY });
      const types = values.type === undefined ? about.types : [values.type];
      const render = renderObjects(values.format);
      using daemon = await context.openDaemon();
      const found: unknown[] = [];
      let exitCode = 0;
      for (const reference of args) {
        try {
          found.push(await find({ daemon, reference, types, size: values.size }));
        } catch (error) {
          context.stderr.write(renderError(error, { name }));
          exitCode = 1;
        }
      }
      context.stdout.write(render(found));
      return exitCode;
    },
  };
}

interface Search {
  readonly daemon: DaemonClient;
  readonly reference: string;
  readonly types: readonly Type[];
  readonly size: boolean;
}

/** The first kind of thing that has the name. */
async function find({ daemon, reference, types, size }: Search): Promise<unknown> {
  const ways: Record<Type, () => Promise<unknown>> = {
    container: () => daemon.inspect(reference, size),
    image: () => daemon.images.inspect(reference),
    network: () => daemon.networks.inspect(reference),
    volume: () => daemon.volumes.inspect(reference),
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
