/** Builds the guest agent: one static binary, and the initramfs that holds it. Does nothing when nothing changed. */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Plugin } from "esbuild";
import { bundle } from "./bundle.ts";
import { cpioArchive } from "./cpio.ts";
import { engineHash, engineObjects, linkProgram } from "./engine-objects.ts";
import { runTool } from "./run-tool.ts";

const guestAgent = join(import.meta.dirname, "..");
const MANIFEST = "manifest.json";
const MANIFEST_VERSION = 1;
const WARM_UP_SOURCE = "warm-up.c";

export interface BuildAgentOptions {
  /** folder for `agent`, `agent.js`, `initramfs.cpio`, `warm-up` and `manifest.json` */
  readonly outDirectory: string;
  /** folder for the source and the objects of QuickJS; shared by all checkouts */
  readonly cacheDirectory: string;
  /** called with a line before each long step */
  readonly onProgress?: (text: string) => void;
}

/** What was built, as `manifest.json` says. */
export interface AgentManifest {
  readonly version: typeof MANIFEST_VERSION;
  /** hash of all inputs, as hexadecimal digits */
  readonly inputs: string;
  /** size of each output, in `bytes` */
  readonly sizes: Readonly<Record<string, number>>;
}

/** @throws AgentBuildError */
export async function buildAgent(options: BuildAgentOptions): Promise<AgentManifest> {
  const { outDirectory, cacheDirectory, onProgress = () => {} } = options;
  const inputs = await hashInputs();
  const built = await readManifest(outDirectory);
  if (built?.inputs === inputs && (await isComplete(outDirectory, built))) return built;
  const engine = await engineObjects(cacheDirectory, onProgress);
  onProgress("building the agent");
  await mkdir(outDirectory, { recursive: true });
  const work = await mkdtemp(join(outDirectory, "build-"));
  try {
    await buildProgram({ entry: join(guestAgent, "init/main.ts"), engine, work });
    await buildWarmUp(work);
    const agent = await readFile(join(work, "agent"));
    await writeFile(join(work, "initramfs.cpio"), initramfs(agent));
    return await publish({ work, outDirectory, inputs });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Bundles, compiles and links a program: `agent.js` and `agent` in `work`.
 *
 * @returns paths of the files that it is made from
 * @throws AgentBuildError
 */
export async function buildProgram(options: {
  readonly entry: string;
  readonly engine: Awaited<ReturnType<typeof engineObjects>>;
  readonly work: string;
  /** of esbuild, for modules that are elsewhere here */
  readonly plugins?: readonly Plugin[];
}): Promise<readonly string[]> {
  const { entry, engine, work, plugins } = options;
  const script = join(work, "agent.js");
  const bytecode = join(work, "agent.bytecode");
  const sources = await bundle(entry, script, plugins);
  const tool = { directory: work, failure: "AGENT_COMPILE" } as const;
  await runTool(engine.compiler, [script, bytecode], tool);
  await linkProgram({ engine, bytecode, output: join(work, "agent"), workDirectory: work });
  return sources;
}

/** Builds the program that machines run once before they are anybody's: `warm-up` in `work`. @throws AgentBuildError */
async function buildWarmUp(work: string): Promise<void> {
  const flags = ["-static", "-no-pie", "-s", "-O1", "-Wall", "-Wno-unused-result"];
  const source = join(import.meta.dirname, WARM_UP_SOURCE);
  const tool = { directory: work, failure: "AGENT_COMPILE" } as const;
  await runTool("musl-gcc", [...flags, "-D_GNU_SOURCE", "-o", "warm-up", source], tool);
}

/** The root that the kernel starts with; the agent leaves it for a tmpfs at once. */
function initramfs(agent: Uint8Array): Buffer {
  return cpioArchive([
    { name: "dev", mode: 0o040755 },
    // The kernel opens it as the standard streams of PID 1, before anything is mounted.
    { name: "dev/console", mode: 0o020600, device: [5, 1] },
    { name: "init", mode: 0o100755, content: agent },
  ]);
}

async function publish(options: {
  readonly work: string;
  readonly outDirectory: string;
  readonly inputs: string;
}): Promise<AgentManifest> {
  const { work, outDirectory, inputs } = options;
  const sizes: Record<string, number> = {};
  for (const name of ["agent", "agent.js", "initramfs.cpio", "warm-up"]) {
    sizes[name] = (await stat(join(work, name))).size;
    await rename(join(work, name), join(outDirectory, name));
  }
  const manifest: AgentManifest = { version: MANIFEST_VERSION, inputs, sizes };
  // The manifest comes last: it vouches for the rest.
  await writeFile(join(work, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await rename(join(work, MANIFEST), join(outDirectory, MANIFEST));
  return manifest;
}

async function readManifest(outDirectory: string): Promise<AgentManifest | undefined> {
  const path = join(outDirectory, MANIFEST);
  if (!existsSync(path)) return undefined;
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return isManifest(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isManifest(value: unknown): value is AgentManifest {
  return (
    typeof value === "object" &&
    value !== null &&
    "version" in value &&
    value.version === MANIFEST_VERSION &&
    "inputs" in value &&
    "sizes" in value &&
    typeof value.sizes === "object"
  );
}

async function isComplete(outDirectory: string, manifest: AgentManifest): Promise<boolean> {
  for (const [name, size] of Object.entries(manifest.sizes)) {
    const found = await stat(join(outDirectory, name)).catch(() => undefined);
    if (found?.size !== size) return false;
  }
  return true;
}

/** Hash of every source of the agent and of its build, tests aside. */
async function hashInputs(): Promise<string> {
  const hash = createHash("sha256").update(await engineHash());
  hash.update(await readFile(join(import.meta.dirname, WARM_UP_SOURCE)));
  const files = await readdir(guestAgent, { recursive: true });
  for (const name of files.sort()) {
    if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
    hash.update(`${name}\0`).update(await readFile(join(guestAgent, name)));
  }
  return hash.digest("hex");
}

if (import.meta.main) {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm/agent");
  const { sizes } = await buildAgent({
    outDirectory: join(guestAgent, "../build/agent"),
    cacheDirectory: cache,
    onProgress: (text) => process.stderr.write(`${text}\n`),
  });
  process.stdout.write(`${JSON.stringify(sizes)}\n`);
}
