/** dvm stats: what containers use, once or for as long as somebody watches. */

import { buffer } from "node:stream/consumers";
import type { DaemonClient } from "../../api/client/daemon-client.ts";
import { readBySchema } from "../../api/docker/schema.ts";
import type { Command } from "../command.ts";
import { helpFlag, rowsFormatFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { renderRows } from "../render/rows.ts";
import { STATS_TABLE, STATS_TITLES, statsRow, statsSample } from "../render/stats-row.ts";

const flags = {
  ...helpFlag,
  ...rowsFormatFlag,
  all: booleanFlag({ short: "a", help: "Show all containers (default shows just running)" }),
  "no-stream": booleanFlag({
    help: "Disable streaming stats and only pull the first result",
  }),
  "no-trunc": booleanFlag({ help: "Do not truncate output" }),
} as const;

/** To the top left, and each line cleared as it is written; what is below it too. */
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

export const stats: Command = {
  usage: "stats [OPTIONS] [CONTAINER...]",
  summary: "Display a live stream of container(s) resource usage statistics",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    using daemon = await context.openDaemon();
    let isOver = false;
    const { stdout } = context;
    stdout.once("error", () => {
      isOver = true;
    });
    for (let first = true; !isOver; first = false) {
      const names = args.length > 0 ? args : await running(daemon, values.all);
      // the daemon takes two samples, a second apart
      const samples = await Promise.all(names.map((name) => sampleOf(daemon, name)));
      const rows = samples.flatMap((sample, index) =>
        sample === undefined
          ? []
          : [statsRow(sample, { reference: names[index] ?? "", whole: values["no-trunc"] })],
      );
      const text = renderRows(rows, {
        format: values.format,
        table: STATS_TABLE,
        titles: STATS_TITLES,
      });
      if (values["no-stream"]) {
        stdout.write(text);
        return 0;
      }
      const isOwn = values.format !== undefined && !/^table/.test(values.format);
      if (isOwn || stdout.isTTY !== true) stdout.write(text);
      else {
        const lines = text.replaceAll("\n", `${CLEAR_LINE}\n`);
        stdout.write(`${first ? `${HOME}${CLEAR_BELOW}` : HOME}${lines}${CLEAR_BELOW}`);
      }
    }
    return 0;
  },
};

async function running(daemon: DaemonClient, all: boolean): Promise<readonly string[]> {
  return (await daemon.list({ all })).map(({ Id }) => Id);
}

/** Of those that the user named, one that is not there is an error; of others it has gone in the meantime. */
async function sampleOf(daemon: DaemonClient, name: string) {
  try {
    const answer = await buffer(await daemon.stats(name, { stream: false }));
    return readBySchema(statsSample, JSON.parse(answer.toString("utf8")));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "NO_SUCH_CONTAINER" && /^[0-9a-f]{64}$/.test(name)) return undefined;
    throw error;
  }
}
