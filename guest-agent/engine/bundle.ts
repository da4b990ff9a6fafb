/** One module out of an entry file and all that it imports, in the language that QuickJS speaks. */

import { join } from "node:path";
import { build } from "esbuild";
import { AgentBuildError } from "./errors.ts";

const guestAgent = join(import.meta.dirname, "..");

/**
 * Bundles `entry` into `output`.
 *
 * Names stay as they are, so that a stack on the guest's console can be read beside the bundle.
 *
 * @throws AgentBuildError `AGENT_COMPILE`
 */
export async function bundle(entry: string, output: string): Promise<void> {
  try {
    await build({
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
      tsconfigRaw: { compilerOptions: { target: "esnext", useDefineForClassFields: true } },
    });
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new AgentBuildError("AGENT_COMPILE", `cannot bundle ${entry}: ${words}`, { cause });
  }
}
