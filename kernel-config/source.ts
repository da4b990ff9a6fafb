/** Finds the kernel source to build: the distribution's linux-source package, or a folder or tarball of the user's. */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { kernelError } from "./errors.ts";
import { type KernelVersion, parseKernelVersion } from "./version-difference.ts";

/** A kernel source tree, packed or not. */
export interface KernelSource {
  readonly kind: "tarball" | "folder";
  /** absolute path, links resolved */
  readonly path: string;
  /** what changes when the source changes: names, sizes and times, never a digest of the content */
  readonly identity: string;
  /** time of the source, in `seconds` since 1970, which stands in the kernel's version string */
  readonly timestamp: number;
}

/** Where the linux-source packages of Debian and its children put their tarballs. */
export const DISTRIBUTION_SOURCES = "/usr/src";

const PACKAGE_TARBALL = /^linux-source-(\d+\.\d+[\d.]*)\.tar\.(xz|gz|bz2|zst)$/;

/** Takes the named source, or the newest of the distribution's. Throws KERNEL_SOURCE_MISSING. */
export function findKernelSource(named?: string, sources = DISTRIBUTION_SOURCES): KernelSource {
  const path = named ?? newestPackage(sources);
  if (path === undefined) {
    throw kernelError("KERNEL_SOURCE_MISSING", `no linux-source-*.tar.xz in ${sources}`);
  }
  if (!existsSync(path)) {
    throw kernelError("KERNEL_SOURCE_MISSING", `no such kernel source: ${path}`);
  }
  const real = realpathSync(path);
  return statSync(real).isDirectory() ? folderSource(real) : tarballSource(real);
}

function newestPackage(sources: string): string | undefined {
  const names = existsSync(sources) ? readdirSync(sources) : [];
  const [newest] = names
    .map((name) => ({ name, version: packageVersion(name) }))
    .filter((found) => found.version !== undefined)
    .sort((a, b) => compareVersions(b.version, a.version));
  return newest === undefined ? undefined : join(sources, newest.name);
}

function packageVersion(name: string): KernelVersion | undefined {
  return parseKernelVersion(PACKAGE_TARBALL.exec(name)?.[1] ?? "");
}

function compareVersions(a?: KernelVersion, b?: KernelVersion): number {
  return (a?.major ?? 0) - (b?.major ?? 0) || (a?.minor ?? 0) - (b?.minor ?? 0);
}

function tarballSource(path: string): KernelSource {
  if (!/\.(tar(\.\w+)?|tgz|txz)$/.test(path)) {
    throw kernelError(
      "KERNEL_SOURCE_MISSING",
      `neither a folder nor a tarball of kernel source: ${path}`,
    );
  }
  const { size, mtimeMs } = statSync(path);
  return {
    kind: "tarball",
    path,
    identity: `tarball ${basename(path)} ${size} ${mtimeMs}`,
    timestamp: Math.floor(mtimeMs / 1000),
  };
}

function folderSource(path: string): KernelSource {
  const makefile = join(path, "Makefile");
  if (!existsSync(makefile) || !existsSync(join(path, "Kconfig"))) {
    throw kernelError("KERNEL_SOURCE_MISSING", `the folder holds no kernel source: ${path}`);
  }
  const version = /^VERSION = .*\nPATCHLEVEL = .*\nSUBLEVEL = .*\n.*$/m.exec(
    readFileSync(makefile, "utf8"),
  );
  const marks = ["Makefile", ".git/HEAD", ".git/index"]
    .map((name) => statSync(join(path, name), { throwIfNoEntry: false }))
    .map((found) => (found === undefined ? "-" : `${found.size}/${found.mtimeMs}`));
  return {
    kind: "folder",
    path,
    identity: `folder ${path} ${version?.[0] ?? ""} ${marks.join(" ")}`,
    timestamp: Math.floor(statSync(makefile).mtimeMs / 1000),
  };
}
