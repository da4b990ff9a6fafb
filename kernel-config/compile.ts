/** The build itself, in a folder of its own: unpack, configure, verify, compile, strip, describe. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { KernelManifest } from "./cache.ts";
import { kernelError } from "./errors.ts";
import { formatOptions, type WantedOption } from "./fragment.ts";
import { readKconfig } from "./kconfig.ts";
import { findPvhEntry } from "./pvh-note.ts";
import type { KernelSource } from "./source.ts";
import { runTool } from "./toolchain.ts";
import { UNNEEDED_SOURCES } from "./unneeded-sources.ts";
import { parseConfiguration, verifyConfiguration } from "./verify.ts";
import { type KernelVersion, parseKernelVersion, wantedByVersion } from "./version-difference.ts";

/** Where a build stands. */
export interface KernelProgress {
  readonly step: "unpack" | "configure" | "compile" | "finish";
  /** objects compiled so far */
  readonly done?: number;
  /** objects to compile, as a rule of thumb: it differs by some from kernel to kernel */
  readonly expected?: number;
}

/** One build. */
export interface KernelBuild {
  readonly source: KernelSource;
  /** all options of all fragments */
  readonly fragments: readonly WantedOption[];
  /** hash of the inputs, for the manifest */
  readonly key: string;
  /** folder of this build alone, with tree, objects and result in it */
  readonly work: string;
  readonly onProgress: (progress: KernelProgress) => void;
  readonly signal: AbortSignal | undefined;
}

/** Objects of a build, measured with Linux 6.1 and 6.12. */
const EXPECTED_OBJECTS = 1160;

/** Builds into `work/result` and returns the manifest that is written there. */
export async function compileKernel(run: KernelBuild): Promise<KernelManifest> {
  const started = performance.now();
  const objects = join(run.work, "objects");
  const result = join(run.work, "result");
  for (const directory of [objects, result]) mkdirSync(directory);

  if (run.source.kind === "tarball") run.onProgress({ step: "unpack" });
  const tree = await unpack(run);
  run.onProgress({ step: "configure" });
  const wanted = await configure(run, tree, objects);
  const objectCount = await compile(run, tree, objects);
  run.onProgress({ step: "finish" });
  await strip(run, objects, result);
  await copyFile(join(objects, ".config"), join(result, "config"));
  await copyFile(join(objects, "System.map"), join(result, "System.map"));
  return writeManifest(result, {
    key: run.key,
    release: readFileSync(join(objects, "include/config/kernel.release"), "utf8").trim(),
    source: run.source.path,
    optionCount: wanted.length,
    objectCount,
    buildSeconds: Math.round((performance.now() - started) / 1000),
  });
}

async function unpack({ source, work, signal }: KernelBuild): Promise<string> {
  if (source.kind === "folder") return source.path;
  const tree = join(work, "tree");
  mkdirSync(tree);
  await runTool({
    program: "tar",
    arguments: [
      "--strip-components=1",
      "--no-same-owner",
      ...UNNEEDED_SOURCES.map((pattern) => `--exclude=${pattern}`),
      `--directory=${tree}`,
      "--extract",
      `--file=${source.path}`,
    ],
    // xz unpacks the blocks of a tarball side by side if told so
    environment: { XZ_DEFAULTS: "--threads=0" },
    signal,
  });
  return tree;
}

/** Answers every question of Kconfig with the fragments, and every other with no. */
async function configure(run: KernelBuild, tree: string, objects: string): Promise<WantedOption[]> {
  const release = readTreeVersion(tree);
  const wanted = wantedByVersion(run.fragments, release);
  const answers = join(run.work, "wanted.config");
  writeFileSync(answers, formatOptions(wanted));
  await make(run, { tree, objects, target: "allnoconfig", answers });
  const configuration = parseConfiguration(readFileSync(join(objects, ".config"), "utf8"));
  verifyConfiguration(wanted, configuration, readKconfig(tree));
  return wanted;
}

function readTreeVersion(tree: string): KernelVersion {
  const makefile = readFileSync(join(tree, "Makefile"), "utf8");
  const field = (name: string) => new RegExp(`^${name} = (\\d+)$`, "m").exec(makefile)?.[1];
  const version = parseKernelVersion(`${field("VERSION")}.${field("PATCHLEVEL")}`);
  if (version === undefined) {
    throw kernelError("KERNEL_SOURCE_MISSING", `no kernel version in ${join(tree, "Makefile")}`);
  }
  return version;
}

async function compile(run: KernelBuild, tree: string, objects: string): Promise<number> {
  let done = 0;
  await make(run, {
    tree,
    objects,
    target: "vmlinux",
    // Without objtool: what needs it (mitigations, tracing, jump labels, ORC) is off, and static calls go by their
    // trampolines, as where it has listed none.
    variables: ["OBJECT_FILES_NON_STANDARD=y"],
    onLine: (line) => {
      if (!/^ {2}(CC|AS) /.test(line)) return;
      done++;
      run.onProgress({ step: "compile", done, expected: Math.max(done, EXPECTED_OBJECTS) });
    },
  });
  return done;
}

interface MakeRun {
  readonly tree: string;
  readonly objects: string;
  readonly target: string;
  /** file of options for allnoconfig */
  readonly answers?: string;
  /** variables of the build, as `NAME=value` */
  readonly variables?: readonly string[];
  readonly onLine?: (line: string) => void;
}

function make({ source, signal }: KernelBuild, run: MakeRun): Promise<void> {
  return runTool({
    program: "make",
    arguments: [
      `--directory=${run.tree}`,
      // one more than processors, which works while another waits for a file
      `--jobs=${availableParallelism() + 1}`,
      `O=${run.objects}`,
      "ARCH=x86_64",
      ...(run.answers === undefined ? [] : [`KCONFIG_ALLCONFIG=${run.answers}`]),
      ...(run.variables ?? []),
      run.target,
    ],
    // the same inputs give the same kernel: no time, user or machine of the build in it
    environment: {
      KBUILD_BUILD_TIMESTAMP: new Date(source.timestamp * 1000).toUTCString(),
      KBUILD_BUILD_USER: "dvm",
      KBUILD_BUILD_HOST: "dvm",
    },
    signal,
    ...(run.onLine === undefined ? {} : { onLine: run.onLine }),
  });
}

async function strip({ signal }: KernelBuild, objects: string, result: string): Promise<void> {
  await runTool({
    program: "strip",
    arguments: [
      "--strip-all",
      "--remove-section=.comment",
      `-o${join(result, "vmlinux")}`,
      join(objects, "vmlinux"),
    ],
    signal,
  });
}

type BuildFacts = Omit<KernelManifest, "version" | "digest" | "size" | "entry">;

function writeManifest(result: string, facts: BuildFacts): KernelManifest {
  const image = readFileSync(join(result, "vmlinux"));
  const entry = findPvhEntry(image);
  if (entry === undefined) {
    throw kernelError("KERNEL_NOT_PVH", "the built vmlinux has no PVH entry note");
  }
  const manifest: KernelManifest = {
    version: 1,
    ...facts,
    digest: `sha256:${createHash("sha256").update(image).digest("hex")}`,
    size: image.length,
    entry,
  };
  writeFileSync(join(result, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}
