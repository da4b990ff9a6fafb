/** Built kernels by the hash of what went into them, and how one gets from there to where it is wanted. */
import { createHash } from "node:crypto";
import {
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** What the build leaves beside the kernel, as manifest.json. */
export interface KernelManifest {
  /** version of this format */
  readonly version: 1;
  /** hash of all inputs, in hexadecimal */
  readonly key: string;
  /** what `uname -r` says in the guest */
  readonly release: string;
  /** the source that was built */
  readonly source: string;
  /** digest of the vmlinux, `sha256:` and hexadecimal */
  readonly digest: string;
  /** options that the fragments ask for and that were verified */
  readonly optionCount: number;
  /** size of the vmlinux in `bytes` */
  readonly size: number;
  /** physical address of the PVH entry */
  readonly entry: number;
  /** objects compiled */
  readonly objectCount: number;
  /** duration of the build in `seconds` */
  readonly buildSeconds: number;
}

/** The kernel, its configuration, its symbols; the manifest comes last, so that it never describes files to come. */
export const KERNEL_FILES = ["vmlinux", "config", "System.map", "manifest.json"] as const;

/** How many built kernels the cache keeps, the newest first; one is about 20 MB. */
const KEPT_KERNELS = 6;

/** Hash of the inputs of a build, in their order. */
export function cacheKey(inputs: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(inputs)).digest("hex");
}

/** `$XDG_CACHE_HOME/dvm/kernel`, or the same under ~/.cache. */
export function defaultCacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const base = environment.XDG_CACHE_HOME;
  return join(
    base === undefined || base === "" ? join(homedir(), ".cache") : base,
    "dvm",
    "kernel",
  );
}

/** Reads the manifest of a folder if the folder holds the kernel of this key, whole. */
export function readCached(directory: string, key: string): KernelManifest | undefined {
  const path = join(directory, "manifest.json");
  if (!existsSync(path)) return undefined;
  const manifest = parseManifest(readFileSync(path, "utf8"));
  const kernel = statSync(join(directory, "vmlinux"), { throwIfNoEntry: false });
  return manifest?.key === key && kernel?.size === manifest.size ? manifest : undefined;
}

/** Copies a built kernel to where it is wanted, each file at once and the manifest last. */
export function installKernel(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of KERNEL_FILES) {
    const temporary = join(to, `.${name}.${process.pid}`);
    copyFileSync(join(from, name), temporary, constants.COPYFILE_FICLONE);
    renameSync(temporary, join(to, name));
  }
}

/** Moves a finished build into the cache, and drops what the cache holds too much of. */
export function storeKernel(from: string, cache: string, key: string): string {
  const entry = join(cache, key);
  // only a damaged entry, or the same kernel from another process, can be in the way
  rmSync(entry, { recursive: true, force: true });
  renameSync(from, entry);
  for (const { path } of entriesByAge(cache).slice(KEPT_KERNELS)) {
    rmSync(path, { recursive: true, force: true });
  }
  return entry;
}

function entriesByAge(cache: string): { path: string; modified: number }[] {
  return readdirSync(cache)
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .map((name) => ({ path: join(cache, name), modified: statSync(join(cache, name)).mtimeMs }))
    .sort((a, b) => b.modified - a.modified);
}

function parseManifest(text: string): KernelManifest | undefined {
  try {
    const manifest: unknown = JSON.parse(text);
    if (typeof manifest !== "object" || manifest === null) return undefined;
    return "version" in manifest && manifest.version === 1
      ? (manifest as KernelManifest)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
