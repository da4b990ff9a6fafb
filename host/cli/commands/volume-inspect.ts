/** dvm volume inspect: volumes in Docker's JSON. */

import { volumeJson } from "../../api/docker/volume-json.ts";
import { openVolumes } from "../../api/volume-api.ts";
import type { Command } from "../command.ts";
import { checkCount, helpFlag, objectFormatFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { renderError } from "../render/error.ts";
import { renderObjects } from "../render/objects.ts";

const flags = { ...helpFlag, ...objectFormatFlag } as const;

export const volumeInspect: Command = {
  usage: "inspect [OPTIONS] VOLUME [VOLUME...]",
  summary: "Display detailed information on one or more volumes",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "volume inspect", { least: 1, most: Number.POSITIVE_INFINITY });
    const render = renderObjects(values.format);
    const volumes = await openVolumes(context);
    const found: Record<string, unknown>[] = [];
    let exitCode = 0;
    for (const name of args) {
      try {
        found.push(volumeJson(volumes.find(name)));
      } catch (error) {
        context.stderr.write(renderError(error, { name: "volume inspect" }));
        exitCode = 1;
      }
    }
    context.stdout.write(render(found));
    return exitCode;
  },
};
