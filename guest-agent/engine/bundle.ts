/** One module out of an entry file and all that it imports, in the language that QuickJS speaks. */

import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { AgentBuildError } from "./errors.ts";

const guestAgent = join(import.meta.dirname, "..");

/**
 * Bundles `entry` into `output`.
 *
 * Names stay as they are, so that a stack on the guest's console can be read beside the bundle.
 *
 * @returns paths of the files that it is made from
 * @throws AgentBuildError `AGENT_COMPILE`
 */
export async function bundle(
  entry: string,
  output: string,
  plugins: readonly Plugin[] = [],
): Promise<readonly string[]> {
  try {
    const { metafile } = await build({
      entryPoints: [entry],
      outfile: output,
      absWorkingDir: guestAgent,
      bundle: true,
      format: "esm",
      platform: "neutral",
      target: "es2022",
      charset: "ascii",
      minifySyntax: true,
      legalComments: "none",
      logLevel: "silent",
      alias: { "#protocol": join(guestAgent, "protocol/index.ts") },
      metafile: true,
      plugins: [...plugins],
      tsconfigRaw: { compilerOptions: { target: "esnext", useDefineForClassFields: true } },
    });
    // what a plugin made has no path but a name of the form `namespace:module`
    const files = Object.keys(metafile.inputs).filter((path) => !/^[a-z-]+:/.test(path));
    return files.map((path) => join(guestAgent, path));
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new AgentBuildError("AGENT_COMPILE", `cannot bundle ${entry}: ${words}`, { cause });
  }
}
