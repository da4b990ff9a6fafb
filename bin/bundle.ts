/**
 * The command line in a few files instead of two hundred, for a fast start: `build/cli`. bin/dvm takes it where it is
 * there, and it gives way to the sources as soon as one of them differs, so that nobody who edits them notices it.
 */

import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

/** A source as it was when the bundle was made: path below the project, time of its last change in `ms`, size. */
type Source = readonly [path: string, modified: number, bytes: number];

/** Makes the bundle unless it is there and all its sources are what they were. */
export async function bundleCommandLine(
  root: string,
  onProgress: (text: string) => void,
): Promise<void> {
  const target = join(root, "build/cli");
  if (await isFresh(root, target)) return;
  onProgress("bundling the command line");
  const fresh = `${target}.${process.pid}`;
  try {
    const { metafile } = await build({
      entryPoints: [join(root, "host/cli/main.ts")],
      absWorkingDir: root,
      outdir: fresh,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      splitting: true,
      platform: "node",
      format: "esm",
      target: "node24",
      // koffi finds its binary by its own place; esbuild is a program of its own
      external: ["koffi", "esbuild"],
      // what was CommonJS asks for Node's modules by `require`
      banner: {
        js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
      },
      metafile: true,
      logLevel: "silent",
      plugins: [placesOfSources],
    });
    const sources = await Promise.all(
      Object.keys(metafile.inputs).map(async (path): Promise<Source> => {
        const { mtimeMs, size } = await stat(join(root, path));
        return [path, mtimeMs, size];
      }),
    );
    await writeFile(join(fresh, "sources.json"), JSON.stringify(sources));
    await writeFile(join(fresh, "dvm.mjs"), entry(root, sources));
    await mkdir(dirname(target), { recursive: true });
    await rm(target, { recursive: true, force: true });
    await rename(fresh, target);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Modules that ask where they are get the answer that they would get without the bundle. */
const placesOfSources: Plugin = {
  name: "places-of-sources",
  setup({ onLoad }) {
    onLoad({ filter: /\/(host|guest-agent)\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const contents = text
        .replaceAll("import.meta.dirname", JSON.stringify(dirname(path)))
        .replaceAll("import.meta.filename", JSON.stringify(path))
        .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href));
      return { contents, loader: "ts" };
    });
  },
};

/** Runs the bundle if it still is what the sources say, the sources if not. */
function entry(root: string, sources: readonly Source[]): string {
  return `import { statSync } from "node:fs";
const root = ${JSON.stringify(`${root}/`)};
const sources = ${JSON.stringify(sources)};
const same = sources.every(([path, modified, bytes]) => {
  const found = statSync(root + path, { throwIfNoEntry: false });
  return found !== undefined && found.mtimeMs === modified && found.size === bytes;
});
await import(same ? "./main.mjs" : root + "host/cli/main.ts");
`;
}

async function isFresh(root: string, target: string): Promise<boolean> {
  try {
    const sources: Source[] = JSON.parse(await readFile(join(target, "sources.json"), "utf8"));
    const same = await Promise.all(
      sources.map(async ([path, modified, bytes]) => {
        const { mtimeMs, size } = await stat(join(root, path));
        return mtimeMs === modified && size === bytes;
      }),
    );
    return same.every(Boolean);
  } catch {
    return false;
  }
}

if (import.meta.main) {
  await bundleCommandLine(join(import.meta.dirname, ".."), (text) =>
    process.stderr.write(`${text}\n`),
  );
}
