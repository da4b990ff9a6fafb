/** The release of a kernel, read from its image. */

import { createReadStream } from "node:fs";

/** How the kernel's banner starts (init/version.c, linux_banner). */
const BANNER = /Linux version (\d+\.\d+\S*) \(/;
/** A banner may lie across two chunks: this much of the former is kept, in `bytes`. */
const OVERLAP = 256;

/** @returns `6.1.0`, or nothing when there is no such file or no banner in it */
export async function kernelRelease(path: string): Promise<string | undefined> {
  let rest = "";
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      const text = rest + (chunk as Buffer).toString("latin1");
      const release = BANNER.exec(text)?.[1];
      if (release !== undefined) return release;
      rest = text.slice(-OVERLAP);
    }
    return undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
