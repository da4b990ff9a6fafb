/** Builds an image by its recipe into an OCI layout, once: the result is cached by the recipe's text. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ImageRecipe } from "./recipe.ts";

export interface BuildImageOptions {
  /** where the layouts go, each in a folder of its recipe's name */
  readonly outDirectory: string;
  /** where finished layouts are kept between checkouts */
  readonly cacheDirectory: string;
  /** called with a sentence at each step that takes long */
  readonly onProgress: (text: string) => void;
}

/** file in a finished layout that says what it was built from */
const KEY_FILE = "dvm-recipe-key";
const TAIL_CHARACTERS = 2000;

/** Makes sure that the image's layout stands in `outDirectory`, and gives its path. */
export async function buildImage(recipe: ImageRecipe, options: BuildImageOptions): Promise<string> {
  for (const base of recipe.bases) await buildImage(base, options);
  const key = recipeKey(recipe);
  const target = join(options.outDirectory, recipe.name);
  if ((await keyOf(target)) === key) return target;
  const cached = join(options.cacheDirectory, `${recipe.name}-${key}`);
  if ((await keyOf(cached)) !== key) {
    options.onProgress(`image ${recipe.name}: building (${recipe.purpose})`);
    await buildInto(cached, { recipe, key, options });
  }
  await replaceFolder(target, (temporary) => cp(cached, temporary, { recursive: true }));
  return target;
}

/** Changes when the recipe or one that it stands on changes. */
function recipeKey(recipe: ImageRecipe): string {
  const parts = [recipe.name, recipe.build.toString(), ...recipe.bases.map(recipeKey)];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

async function keyOf(layout: string): Promise<string | undefined> {
  try {
    return await readFile(join(layout, KEY_FILE), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function buildInto(
  cached: string,
  { recipe, key, options }: { recipe: ImageRecipe; key: string; options: BuildImageOptions },
): Promise<void> {
  await mkdir(dirname(cached), { recursive: true });
  const scratch = await mkdtemp(join(dirname(cached), `.${recipe.name}-scratch-`));
  try {
    await replaceFolder(cached, async (layout) => {
      const work = join(scratch, "work");
      await mkdir(work);
      await recipe.build({
        // umoci insists on making the layout itself
        layout,
        scratch: work,
        run,
        base: (name) => join(options.outDirectory, name),
      });
      await writeFile(join(layout, KEY_FILE), key);
      // some tools keep their blobs to themselves; every user of the machine may run the project's images
      await run("chmod", "-R", "a+rX", layout);
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Fills a new folder beside `target` and puts it in its place: nobody sees half of it. */
async function replaceFolder(
  target: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const parent = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
  try {
    const temporary = join(parent, "new");
    await fill(temporary);
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

function run(command: string, ...args: readonly string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let tail = "";
  const keep = (text: Buffer) => {
    tail = (tail + text.toString()).slice(-TAIL_CHARACTERS);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.on("error", (cause) =>
    reject(new Error(`${command} cannot be run: is its Debian package installed?`, { cause })),
  );
  child.on("close", (code, signal) => {
    if (code === 0) resolve();
    else reject(new Error(`${command} ${args.join(" ")}: ended with ${signal ?? code}\n${tail}`));
  });
  return promise;
}
