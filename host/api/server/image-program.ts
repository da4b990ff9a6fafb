/** Which file the process for images runs: the bundle beside the daemon's own, or the source. */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Its name beside the daemon's bundle. */
const BUNDLE = "image-jobs.cjs";

/** @param daemon path of the program that runs */
export function imageProgram(daemon: string = process.argv[1] ?? ""): string {
  if (daemon.endsWith("dvmd.cjs")) return join(dirname(daemon), BUNDLE);
  return fileURLToPath(new URL("../../engine/images/serve-image-jobs.ts", import.meta.url));
}
