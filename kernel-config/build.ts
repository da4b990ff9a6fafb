/**
 * Builds the guest kernel: the source of the distribution, the fragments of this folder, one vmlinux with a PVH entry.
 *
 *     node kernel-config/build.ts [--source DIR|TARBALL] [--out DIR] [--cache DIR]
 */
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { DvmError } from "../host/errors.ts";
import {
  cacheKey,
  defaultCacheDirectory,
  installKernel,
  type KernelManifest,
  readCached,
  storeKernel,
} from "./cache.ts";
import { compileKernel, type KernelProgress } from "./compile.ts";
import { kernelError } from "./errors.ts";
import { formatOptions, readFragments, type WantedOption } from "./fragment.ts";
import { findKernelSource, type KernelSource } from "./source.ts";
import { requireTools, toolchainIdentity } from "./toolchain.ts";

/** What to build and where to put it. */
export interface KernelBuildOptions {
  /** folder or tarball of kernel source; the distribution's linux-source package if absent */
  readonly source?: string | undefined;
  /** folder for vmlinux, config, System.map and manifest.json; the project's build/kernel if absent */
  readonly outDirectory?: string | undefined;
  /** folder of built kernels by the hash of their inputs */
  readonly cacheDirectory?: string | undefined;
  readonly onProgress?: ((progress: KernelProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A kernel ready to boot. */
export interface BuiltKernel {
  /** uncompressed, stripped, with a PVH entry */
  readonly vmlinux: string;
  readonly manifest: KernelManifest;
  /** whether it was built now, taken from the cache, or in place already */
  readonly origin: "built" | "cache" | "present";
}

/** Part of the cache key: raise it when the same inputs are to give another kernel. */
const BUILD_VERSION = 1;

/** What unpacked source and objects take for a while, in `bytes`. */
const NEEDED_SPACE = 2_500_000_000;

const PROJECT = resolve(import.meta.dirname, "..");
const FRAGMENTS = join(import.meta.dirname, "fragments");

/**
 * Puts the guest kernel into the out folder, building it only if no kernel of the same inputs is there or in the cache.
 * Throws the errors of kernel-config/errors.ts; an abort rejects with the signal's reason.
 *
 * @example
 * const { vmlinux } = await buildKernel({ onProgress: ({ step }) => process.stderr.write(`${step}\n`) });
 */
export async function buildKernel(options: KernelBuildOptions = {}): Promise<BuiltKernel> {
  const out = resolve(options.outDirectory ?? join(PROJECT, "build", "kernel"));
  const cache = resolve(options.cacheDirectory ?? defaultCacheDirectory());
  const fragments = readFragments(FRAGMENTS);
  const source = findKernelSource(options.source);
  const key = kernelKey(fragments, source);
  const vmlinux = join(out, "vmlinux");

  const present = readCached(out, key);
  if (present !== undefined) return { vmlinux, manifest: present, origin: "present" };
  const cached = readCached(join(cache, key), key);
  if (cached !== undefined) {
    installKernel(join(cache, key), out);
    return { vmlinux, manifest: cached, origin: "cache" };
  }

  requireTools();
  requireSpace(cache);
  using work = temporaryFolder(cache);
  const manifest = await compileKernel({
    source,
    fragments,
    key,
    work: work.path,
    onProgress: options.onProgress ?? (() => {}),
    signal: options.signal,
  });
  installKernel(storeKernel(join(work.path, "result"), cache, key), out);
  return { vmlinux, manifest, origin: "built" };
}

/** Hash of all that decides on the kernel; it reads nothing of the source but its file's size and time. */
export function kernelKey(fragments: readonly WantedOption[], source: KernelSource): string {
  return cacheKey([
    `build ${BUILD_VERSION}`,
    toolchainIdentity(),
    source.identity,
    formatOptions(fragments),
  ]);
}

function requireSpace(cache: string): void {
  mkdirSync(cache, { recursive: true });
  const { bavail, bsize } = statfsSync(cache);
  if (bavail * bsize >= NEEDED_SPACE) return;
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  throw kernelError(
    "KERNEL_DISK_FULL",
    `a kernel build takes ${megabytes(NEEDED_SPACE)}, ${cache} has ${megabytes(bavail * bsize)} left`,
  );
}

function temporaryFolder(parent: string): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(parent, "build-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

async function main(): Promise<void> {
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => interrupt.abort(new Error(`interrupted by ${signal}`)));
  }
  const { source, out, cache } = readArguments();
  const built = await buildKernel({
    source,
    outDirectory: out,
    cacheDirectory: cache,
    onProgress: progressLine(),
    signal: interrupt.signal,
  });
  const { release, size, optionCount, buildSeconds } = built.manifest;
  process.stderr.write(
    `linux ${release}, ${(size / 1e6).toFixed(1)} MB, ${optionCount} options verified, ` +
      `${built.origin}${built.origin === "built" ? ` in ${buildSeconds} s` : ""}\n`,
  );
  process.stdout.write(`${built.vmlinux}\n`);
}

function readArguments() {
  const text = { type: "string" } as const;
  try {
    return parseArgs({ options: { source: text, out: text, cache: text } }).values;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw kernelError("KERNEL_USAGE", message, { cause });
  }
}

/** On a terminal one line that is written over; in a log a line for each step and each fifth of the objects. */
function progressLine(): (progress: KernelProgress) => void {
  let last = "";
  return ({ step, done, expected }) => {
    const terminal = process.stderr.isTTY;
    const percent = Math.floor(((done ?? 0) * 100) / (expected ?? 1));
    const shown = terminal ? percent : percent - (percent % 20);
    const line = done === undefined ? step : `${step} ${shown}%`;
    if (line === last) return;
    last = line;
    process.stderr.write(terminal ? `\r\x1b[Kkernel: ${line}` : `kernel: ${line}\n`);
    if (terminal && step === "finish") process.stderr.write("\n");
  };
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const hint =
      error instanceof DvmError && error.hint !== undefined ? `\nhint: ${error.hint}` : "";
    process.stderr.write(`${process.stderr.isTTY ? "\n" : ""}kernel: ${error.message}${hint}\n`);
    process.exitCode = error instanceof DvmError ? error.exitCode : 1;
  }
}
