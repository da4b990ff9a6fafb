/** The output of a process as a command's own: both streams apart, or one of a terminal. */

import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { demultiplexer } from "../api/docker/stdcopy.ts";
import type { CliContext } from "./command.ts";

export interface CopyOutputOptions {
  readonly context: Pick<CliContext, "stdout" | "stderr">;
  readonly source: Readable;
  /** whether it comes from a terminal, as one stream */
  readonly terminal: boolean;
}

/** Until the source's end, or until nobody reads any more. */
export async function copyOutput({ context, source, terminal }: CopyOutputOptions): Promise<void> {
  const { stdout, stderr } = context;
  let isLost = false;
  const lost = () => {
    isLost = true;
    source.destroy();
  };
  for (const sink of [stdout, stderr]) sink.once("error", lost);
  try {
    if (terminal) await pipeline(source, stdout, { end: false });
    else await pipeline(source, demultiplexer({ stdout, stderr }).resume());
  } catch (error) {
    if (!isLost) throw error;
  } finally {
    for (const sink of [stdout, stderr]) sink.off("error", lost);
  }
}
