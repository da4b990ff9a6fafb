/** What is measured is what users run: the command line in one file (bin/bundle.ts), and not sources that are newer. */

import { homedir } from "node:os";
import { join } from "node:path";
import { bundleCommandLine } from "../bin/bundle.ts";
import { PROJECT } from "./paths.ts";

/** Makes it anew when a source has changed since; where it cannot be made the bench says so. */
export async function freshCommandLine(say: (text: string) => void): Promise<void> {
  const cacheDirectory = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm/agent");
  await bundleCommandLine({ root: PROJECT, cacheDirectory, onProgress: say }).catch(
    (error: Error) => say(`dvm runs from its sources, which is slower: ${error.message}`),
  );
}
