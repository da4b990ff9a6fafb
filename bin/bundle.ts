/**
 * The command line in one file instead of two hundred, for a fast start: `build/cli/main.js`, which `dvm.cjs` loads.
 * It is no ECMAScript module, since Node's loader of those takes some milliseconds for each file and for each of
 * Node's own modules. bin/dvm takes it where it is there, unless one of its sources is newer (`newer.sh`), so that
 * nobody who edits them notices it. The same for the daemon: `dvmd.cjs` and `dvmd-newer.sh`.
 */

import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { buildProgram } from "../guest-agent/engine/build.ts";
import { engineObjects } from "../guest-agent/engine/engine-objects.ts";

/** A source as it was when the bundle was made: path below the project, time of its last change in `ms`, size. */
type Source = readonly [path: string, modified: number, bytes: number];

const LOADER = "dvm.cjs";
const BUNDLE = "main.js";
const DAEMON = "dvmd.cjs";
/** What the daemon runs beside itself (`imageProgram`). */
const IMAGE_JOBS = "image-jobs.cjs";
/** What that runs on its threads (`LayerPool`). */
const LAYER_WORKER = "layer-worker.cjs";

export interface BundleOptions {
  /** the project's top folder */
  readonly root: string;
  /** folder for the source and the objects of QuickJS; shared by all checkouts */
  readonly cacheDirectory: string;
  readonly onProgress: (text: string) => void;
}

/** Makes the bundle unless it is there and all its sources are what they were. @throws AgentBuildError */
export async function bundleCommandLine({
  root,
  cacheDirectory,
  onProgress,
}: BundleOptions): Promise<void> {
  const target = join(root, "build/cli");
  if (await isFresh(root, target)) return;
  onProgress("bundling the command line");
  const fresh = `${target}.${process.pid}`;
  const started = new Date();
  try {
    const programs = { ...OPTIONS, absWorkingDir: root, plugins: [placesOfSources] };
    const commandLine = await build({
      ...programs,
      entryPoints: [join(root, "host/cli/main.ts")],
      outfile: join(fresh, BUNDLE),
      metafile: true,
    });
    const daemon = await build({
      ...programs,
      entryPoints: [join(root, "host/api/server/dvmd.ts")],
      outfile: join(fresh, DAEMON),
      metafile: true,
    });
    const imageJobs = await build({
      ...programs,
      entryPoints: [join(root, "host/engine/images/serve-image-jobs.ts")],
      outfile: join(fresh, IMAGE_JOBS),
      metafile: true,
    });
    await build({
      ...programs,
      entryPoints: [join(root, "host/image/layer/layer-worker.ts")],
      outfile: join(fresh, LAYER_WORKER),
    });
    await build({
      ...OPTIONS,
      entryPoints: [join(root, "bin/load-bundle.ts")],
      outfile: join(fresh, LOADER),
    });
    const quick = await buildQuick({ root, cacheDirectory, fresh, onProgress });
    const own = await statSources(root, [
      ...new Set([...Object.keys(commandLine.metafile.inputs), ...quick, ...ENGINE]),
      "bin/load-bundle.ts",
      "bin/bundle.ts",
    ]);
    const daemons = await statSources(
      root,
      [daemon, imageJobs].flatMap(({ metafile }) => Object.keys(metafile.inputs)),
    );
    await writeFile(join(fresh, "sources.json"), JSON.stringify([...own, ...daemons]));
    await writeFile(join(fresh, "newer.sh"), newerScript(own));
    await writeFile(join(fresh, "dvmd-newer.sh"), newerScript(daemons));
    // what is changed while this works is newer than the bundle
    for (const file of [LOADER, DAEMON]) await utimes(join(fresh, file), started, started);
    await mkdir(dirname(target), { recursive: true });
    await rm(target, { recursive: true, force: true });
    await rename(fresh, target);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** What `quick` is made with. */
const ENGINE = ["engine.c", "allocator.c", "allocator.h", "compile.c", "bytecode.S"]
  .concat(["engine-objects.ts", "build.ts", "bundle.ts"])
  .map((name) => `guest-agent/engine/${name}`);

/**
 * What runs containers without Node (`host/cli/quick`), on the guest agent's engine: `quick`. It has ways and signals of
 * its own in place of Node's modules; who needs another of them gives way to Node.
 *
 * @returns its sources, below the project
 */
async function buildQuick({
  root,
  cacheDirectory,
  fresh,
  onProgress,
}: BundleOptions & { readonly fresh: string }): Promise<string[]> {
  const engine = await engineObjects(cacheDirectory, onProgress);
  const work = join(fresh, "quick-build");
  await mkdir(work);
  const entry = join(root, "host/cli/quick/main.ts");
  const sources = await buildProgram({ entry, engine, work, plugins: [withoutNode(root)] });
  await rename(join(work, "agent"), join(fresh, "quick"));
  await rm(work, { recursive: true });
  return sources.filter((path) => path.startsWith(`${root}/`)).map((path) => relative(root, path));
}

function withoutNode(root: string): Plugin {
  return {
    name: "without-node",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^node:(path|os)$/ }, ({ path }) => ({
        path: join(root, `host/cli/quick/node/${path.slice("node:".length)}.ts`),
      }));
      onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "no-node" }));
      onLoad({ filter: /.*/, namespace: "no-node" }, async ({ path }) => {
        const all = Object.entries(await import(path)).filter(([name]) => name !== "default");
        // of a constant there is nothing: whoever uses one fails at once, in every test
        const functions = all.map(([name, value]) =>
          typeof value === "function"
            ? `export function ${name}() { refuse("${name}"); }`
            : `export const ${name} = undefined;`,
        );
        const refuse = `function refuse(name) { throw new NotHere(\`${path} \${name}\`); }`;
        return {
          contents: `import { NotHere } from "./not-here.ts";\n${refuse}\n${functions.join("\n")}`,
          resolveDir: join(root, "host/cli/quick"),
          loader: "js",
        };
      });
    },
  };
}

const OPTIONS = {
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node24",
  charset: "ascii",
  minifyWhitespace: true,
  // koffi finds its binary by its own place; esbuild is a program of its own
  external: ["koffi", "esbuild"],
  logLevel: "silent",
} satisfies BuildOptions;

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

function statSources(root: string, paths: readonly string[]): Promise<Source[]> {
  return Promise.all(
    paths.map(async (path): Promise<Source> => {
      const { mtimeMs, size } = await stat(join(root, path));
      return [path, mtimeMs, size];
    }),
  );
}

/** Shell code that ends with success when one of the sources below `$root` is newer than the file `$main`. */
function newerScript(sources: readonly Source[]): string {
  const paths = sources.map(([path]) => `'${path.replaceAll("'", "'\\''")}'`);
  return `for source in ${paths.join(" ")}; do
  [ "$root/$source" -nt "$main" ] && return 0
done
return 1
`;
}

async function isFresh(root: string, target: string): Promise<boolean> {
  try {
    await stat(join(target, "quick"));
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
  await bundleCommandLine({
    root: join(import.meta.dirname, ".."),
    cacheDirectory: join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm/agent"),
    onProgress: (text) => process.stderr.write(`${text}\n`),
  });
}
