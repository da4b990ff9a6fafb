/**
 * The source of QuickJS, from the Debian archive that the machine already uses.
 *
 * Debian 12 has no QuickJS, Debian 13 has. A private copy of the machine's own package sources, with the suite
 * replaced, finds it without touching the system's apt and without naming a host.
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AgentBuildError } from "./errors.ts";
import { runTool } from "./run-tool.ts";

const SUITE = "trixie";
const PACKAGE = "quickjs";
export const QUICKJS_VERSION = "2025.04.26";
const ARCHIVE = `quickjs_${QUICKJS_VERSION}.orig.tar.xz`;
export const QUICKJS_SHA256 = "ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe";

/**
 * Folder with the unpacked source; fetched when it is not there yet.
 *
 * @throws AgentBuildError `AGENT_SOURCE`, `AGENT_CHECKSUM`
 */
export async function quickjsSource(
  cacheDirectory: string,
  onProgress: (text: string) => void,
): Promise<string> {
  const source = join(cacheDirectory, `quickjs-${QUICKJS_SHA256.slice(0, 16)}`);
  if (existsSync(source)) return source;
  onProgress(`fetching the source of QuickJS ${QUICKJS_VERSION}`);
  await mkdir(cacheDirectory, { recursive: true });
  const work = await mkdtemp(join(cacheDirectory, "fetch-"));
  try {
    const archive = await download(work);
    await verify(archive);
    const unpacked = join(work, "source");
    await mkdir(unpacked);
    const args = ["--extract", "--file", archive, "--strip-components=1", "--no-same-owner"];
    await runTool("tar", args, { directory: unpacked, failure: "AGENT_SOURCE" });
    await moveIntoPlace(unpacked, source);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return source;
}

/** Renames a finished folder to its final name; another build may have been quicker with the same content. */
export async function moveIntoPlace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

async function download(work: string): Promise<string> {
  const sources = join(work, "debian.sources");
  await writeFile(sources, await privateSources());
  await mkdir(join(work, "lists/partial"), { recursive: true });
  await mkdir(join(work, "cache/archives/partial"), { recursive: true });
  const apt = [
    `-oDir::Etc::sourcelist=${sources}`,
    "-oDir::Etc::sourceparts=/dev/null",
    `-oDir::State::lists=${join(work, "lists")}`,
    `-oDir::Cache=${join(work, "cache")}`,
    "-oAPT::Sandbox::User=",
    "-oAcquire::Languages=none",
    "-qq",
  ];
  const options = { directory: work, failure: "AGENT_SOURCE" } as const;
  await runTool("apt-get", [...apt, "update"], options);
  await runTool("apt-get", [...apt, "source", "--download-only", PACKAGE], options);
  const archive = join(work, ARCHIVE);
  if (!existsSync(archive)) {
    throw new AgentBuildError("AGENT_SOURCE", `no ${ARCHIVE} in the ${SUITE} suite`);
  }
  return archive;
}

async function verify(archive: string): Promise<void> {
  const digest = createHash("sha256")
    .update(await readFile(archive))
    .digest("hex");
  if (digest !== QUICKJS_SHA256) {
    throw new AgentBuildError("AGENT_CHECKSUM", `${ARCHIVE} has the sha256 ${digest}`);
  }
}

/** The machine's entries for its own Debian suite, turned to the source packages of `SUITE`. */
async function privateSources(): Promise<string> {
  const release = await readFile("/etc/os-release", "utf8");
  const codename = /^VERSION_CODENAME=(\S+)$/m.exec(release)?.[1] ?? "stable";
  const stanzas: string[] = [];
  for (const path of await sourceFiles()) {
    const text = await readFile(path, "utf8");
    stanzas.push(
      ...(path.endsWith(".sources")
        ? sourceStanzas(text, codename)
        : oneLineSources(text, codename)),
    );
  }
  if (stanzas.length === 0) {
    throw new AgentBuildError("AGENT_SOURCE", `no package source for the suite ${codename}`);
  }
  return stanzas.join("\n");
}

async function sourceFiles(): Promise<string[]> {
  const folder = "/etc/apt/sources.list.d";
  const names = existsSync(folder) ? (await readdir(folder)).sort() : [];
  const parts = names.filter((name) => /\.(list|sources)$/.test(name));
  const list = "/etc/apt/sources.list";
  return [...(existsSync(list) ? [list] : []), ...parts.map((name) => join(folder, name))];
}

/** Stanzas of a deb822 file (sources.list(5)) for `codename`, turned to source packages of `SUITE`. */
export function sourceStanzas(text: string, codename: string): string[] {
  const stanzas: string[] = [];
  for (const block of text.replace(/^#.*\n?/gm, "").split(/\n\s*\n/)) {
    const field = (name: string) =>
      new RegExp(`^${name}:((?:.*)(?:\\n[ \\t].*)*)`, "im").exec(block)?.[1]?.trim();
    const suites = field("Suites")?.split(/\s+/) ?? [];
    const uris = field("URIs");
    if (uris === undefined || !suites.includes(codename)) continue;
    const key = field("Signed-By");
    const signed = key === undefined ? "" : `Signed-By: ${key}\n`;
    stanzas.push(`Types: deb-src\nURIs: ${uris}\nSuites: ${SUITE}\nComponents: main\n${signed}`);
  }
  return stanzas;
}

/** As `sourceStanzas`, for the one-line format: `deb [option=value …] uri suite component…`. */
export function oneLineSources(text: string, codename: string): string[] {
  const stanzas: string[] = [];
  for (const match of text.matchAll(/^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)/gm)) {
    const [, options = "", uri = "", suite] = match;
    if (suite !== codename) continue;
    const key = /signed-by=(\S+)/.exec(options)?.[1];
    const signed = key === undefined ? "" : `Signed-By: ${key}\n`;
    stanzas.push(`Types: deb-src\nURIs: ${uri}\nSuites: ${SUITE}\nComponents: main\n${signed}`);
  }
  return stanzas;
}
