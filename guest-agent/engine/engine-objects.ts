/** The engine, compiled once: objects of QuickJS and of the binding, and the bytecode compiler. */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { moveIntoPlace, QUICKJS_SHA256, QUICKJS_VERSION, quickjsSource } from "./quickjs-source.ts";
import { runTool } from "./run-tool.ts";

const here = import.meta.dirname;

/** What of QuickJS is compiled; its standard library with files and processes is not. */
const OWN_FILES = ["engine", "allocator"];
const QUICKJS_FILES = ["quickjs", "libregexp", "libunicode", "cutils", "dtoa"];

/**
 * QuickJS counts on signed integers to wrap. A section for each function lets the linker leave out what the agent
 * does not use, the parser among it.
 */
const CFLAGS = [
  "-O2",
  "-fwrapv",
  "-fno-asynchronous-unwind-tables",
  "-ffunction-sections",
  "-fdata-sections",
  "-D_GNU_SOURCE",
  `-DCONFIG_VERSION="${QUICKJS_VERSION}"`,
];
const LDFLAGS = ["-static", "-no-pie", "-s", "-Wl,--gc-sections", "-Wl,--build-id=none"];

export interface EngineObjects {
  /** hash of everything that they were made from, as hexadecimal digits */
  readonly hash: string;
  /** objects to link with a program's bytecode */
  readonly objects: readonly string[];
  /** program that turns JavaScript into bytecode: `compile SOURCE BYTECODE` */
  readonly compiler: string;
}

/** Hash of the engine's inputs, without building anything. */
export async function engineHash(): Promise<string> {
  const hash = createHash("sha256").update(QUICKJS_SHA256).update(CFLAGS.join("\0"));
  hash.update(LDFLAGS.join("\0"));
  for (const name of ["engine.c", "allocator.c", "allocator.h", "compile.c", "bytecode.S"]) {
    hash.update(await readFile(join(here, name)));
  }
  return hash.digest("hex");
}

/** @throws AgentBuildError */
export async function engineObjects(
  cacheDirectory: string,
  onProgress: (text: string) => void,
): Promise<EngineObjects> {
  const hash = await engineHash();
  const folder = join(cacheDirectory, `engine-${hash.slice(0, 16)}`);
  if (!existsSync(folder)) {
    const source = await quickjsSource(cacheDirectory, onProgress);
    onProgress("compiling QuickJS");
    const work = await mkdtemp(join(cacheDirectory, "engine-build-"));
    try {
      await compileEngine(source, work);
      await moveIntoPlace(work, folder);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  const objects = [...QUICKJS_FILES, ...OWN_FILES].map((name) => join(folder, `${name}.o`));
  return { hash, objects, compiler: join(folder, "compile") };
}

/** Links a program's bytecode with the engine into one static binary. @throws AgentBuildError */
export async function linkProgram(options: {
  readonly engine: EngineObjects;
  readonly bytecode: string;
  readonly output: string;
  readonly workDirectory: string;
}): Promise<void> {
  const { engine, bytecode, output, workDirectory } = options;
  const object = join(workDirectory, "bytecode.o");
  const tool = { directory: workDirectory, failure: "AGENT_COMPILE" } as const;
  const define = `-DAGENT_BYTECODE="${bytecode}"`;
  await runTool("musl-gcc", [define, "-c", join(here, "bytecode.S"), "-o", object], tool);
  const args = [...LDFLAGS, "-o", output, ...engine.objects, object, "-lm"];
  await runTool("musl-gcc", args, tool);
}

async function compileEngine(source: string, work: string): Promise<void> {
  const tool = { directory: work, failure: "AGENT_COMPILE" } as const;
  const compile = (file: string, name: string) =>
    runTool("musl-gcc", [...CFLAGS, "-w", "-I", source, "-c", file, "-o", `${name}.o`], tool);
  await Promise.all([
    ...QUICKJS_FILES.map((name) => compile(join(source, `${name}.c`), name)),
    ...[...OWN_FILES, "compile"].map((name) => compile(join(here, `${name}.c`), name)),
  ]);
  const objects = [...QUICKJS_FILES, "compile"].map((name) => `${name}.o`);
  await runTool("musl-gcc", [...LDFLAGS, "-o", "compile", ...objects, "-lm"], tool);
}
