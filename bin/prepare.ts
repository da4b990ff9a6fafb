/** Builds what dvm runs with: the guest kernel, the guest agent, the project's images. Each only when its inputs changed. */

import { homedir } from "node:os";
import { join } from "node:path";
import { buildAgent } from "../guest-agent/engine/build.ts";
import { buildImage } from "../images/build-image.ts";
import { projectImages, testImages } from "../images/catalogue.ts";
import { buildKernel } from "../kernel-config/build.ts";
import { buildJail } from "./build-jail.ts";
import { bundleCommandLine } from "./bundle.ts";

const root = join(import.meta.dirname, "..");
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm");
const started = performance.now();

function say(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stderr.write(`setup: [${seconds} s] ${text}\n`);
}

let last = "";

/** Progress comes more often than it changes its words. */
function sayOnce(text: string): void {
  if (text !== last) say(text);
  last = text;
}

async function prepare(forTests: boolean): Promise<void> {
  await buildKernel({
    outDirectory: join(root, "build/kernel"),
    cacheDirectory: join(cache, "kernel"),
    onProgress: ({ step, done = 0, expected = 1 }) => {
      const percent = Math.min(100, Math.floor((done * 20) / expected) * 5);
      sayOnce(step === "compile" ? `kernel: compile, ${percent} %` : `kernel: ${step}`);
    },
  });
  await buildAgent({
    outDirectory: join(root, "build/agent"),
    cacheDirectory: join(cache, "agent"),
    onProgress: (text) => say(`agent: ${text}`),
  });
  await buildJail({
    root,
    cacheDirectory: join(cache, "agent"),
    onProgress: (text) => say(`jail: ${text}`),
  });
  await bundleCommandLine({
    root,
    cacheDirectory: join(cache, "agent"),
    onProgress: (text) => say(text),
  });
  for (const recipe of forTests ? [...projectImages, ...testImages] : projectImages) {
    await buildImage(recipe, {
      outDirectory: join(root, "build/images"),
      cacheDirectory: join(cache, "images"),
      onProgress: say,
    });
  }
}

try {
  await prepare(process.argv.includes("--test"));
} catch (error) {
  process.stderr.write(`setup: ${error instanceof Error ? error.message : String(error)}\n`);
  const hint = error instanceof Error && "hint" in error ? error.hint : undefined;
  if (typeof hint === "string") process.stderr.write(`  hint: ${hint}\n`);
  process.exitCode = 1;
}
