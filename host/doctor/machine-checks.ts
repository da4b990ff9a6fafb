/** The checks of this machine. */

import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { freemem } from "node:os";
import { dirname } from "node:path";
import { artifactPaths, PROJECT_ROOT } from "../engine/artifacts.ts";
import { enginePaths } from "../engine/paths.ts";
import { hostCache } from "../engine/real-parts.ts";
import { type KvmVerdict, probeHost } from "../vmm/probe.ts";
import { findVirtiofsd } from "../vmm/qemu/find-virtiofsd.ts";
import { idMapArguments } from "../vmm/qemu/id-map.ts";
import type { Check, Finding } from "./examine.ts";
import { kernelRelease } from "./kernel-release.ts";
import { programSays } from "./program.ts";
import { qemuVersion } from "./version-info.ts";

/** First Node that strips types without a flag and has all that is used here. */
const LEAST_NODE = [24, 12] as const;
/** First QEMU whose microvm machine is known to work here. */
const LEAST_QEMU = [7, 2] as const;
/** Less room than this for images and containers is worth a word, in `bytes`. */
const LITTLE_SPACE = 2 * 1024 ** 3;
/** Less free memory than a machine of the usual size and its VMM take, in `bytes`. */
const LITTLE_MEMORY = 768 * 1024 ** 2;

const SETUP = `run 'npm run setup' in ${PROJECT_ROOT}`;

/** @param options `dataRoot` as the command line names it */
export function machineChecks(options: {
  readonly dataRoot: string | undefined;
}): readonly Check[] {
  const paths = enginePaths(process.env, options.dataRoot);
  const artifacts = artifactPaths();
  return [
    { name: "node", look: async () => nodeFinding(process.versions.node) },
    {
      name: "kvm",
      look: async () =>
        kvmFinding((await probeHost({ cacheDirectory: hostCache(paths.dataRoot) })).kvm),
    },
    { name: "qemu", look: qemuFinding },
    program("qemu-img", ["--version"], { package: "qemu-utils", need: "warn" }),
    program("mkfs.ext4", ["-V"], { package: "e2fsprogs", need: "fail" }),
    {
      name: "shared folders",
      look: async () => sharesFinding(findVirtiofsd(), idMapArguments()),
    },
    { name: "guest kernel", look: () => kernelFinding(artifacts.kernel) },
    { name: "guest agent", look: async () => fileFinding(artifacts.initramfs) },
    { name: "data root", look: async () => dataRootFinding(paths.dataRoot) },
    { name: "run folder", look: async () => folderFinding(paths.runRoot) },
    { name: "memory", look: async () => memoryFinding(freemem()) },
    program("nft", ["--version"], { package: "nftables", need: "warn" }),
    program("passt", ["--version"], { package: "passt", need: "warn" }),
  ];
}

export function nodeFinding(version: string): Finding {
  return isAtLeast(version, LEAST_NODE)
    ? { status: "ok", detail: `Node ${version}` }
    : { status: "fail", detail: `Node ${version} is too old`, mend: SETUP };
}

export function memoryFinding(free: number): Finding {
  const detail = `${Math.round(free / 2 ** 20)} MiB free`;
  return free >= LITTLE_MEMORY
    ? { status: "ok", detail }
    : { status: "warn", detail, mend: "give containers less with --memory" };
}

/** Without KVM everything works, ten to fifty times slower. */
export function kvmFinding(verdict: KvmVerdict): Finding {
  if (verdict.usable) {
    const microseconds = (verdict.nanoseconds / 1000).toFixed(0);
    return { status: "ok", detail: `runs a test guest in ${microseconds} µs` };
  }
  const { reason, hint = "none on this machine: guests run by TCG" } = verdict;
  return { status: "warn", detail: `not used: ${reason}`, mend: hint };
}

/** @param idMap unshare(1)'s arguments for the server's users */
export function sharesFinding(virtiofsd: string | undefined, idMap: readonly string[]): Finding {
  if (virtiofsd === undefined) {
    const mend = "run as root: apt-get install qemu-system-common";
    return { status: "warn", detail: "virtiofsd not found", mend };
  }
  const isAlone = idMap.length > 0 && !idMap.some((word) => word.startsWith("--map-users="));
  if (!isAlone) return { status: "ok", detail: virtiofsd };
  return {
    status: "warn",
    detail: `${virtiofsd}; files in them can be root's alone, for you have no subordinate users`,
    mend: "run as root: apt-get install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 YOU",
  };
}

async function qemuFinding(): Promise<Finding> {
  const line = await programSays("qemu-system-x86_64", ["--version"]);
  const mend = "run as root: apt-get install qemu-system-x86";
  if (line === undefined) return { status: "fail", detail: "qemu-system-x86_64 not found", mend };
  const version = qemuVersion(line);
  if (version === undefined || !isAtLeast(version, LEAST_QEMU)) {
    return { status: "fail", detail: `${line}: needs 7.2 or later`, mend };
  }
  return { status: "ok", detail: `QEMU ${version}` };
}

function program(
  name: string,
  args: readonly string[],
  options: { readonly package: string; readonly need: "warn" | "fail" },
): Check {
  return {
    name,
    look: async () => {
      const line = await programSays(name, args);
      const mend = `run as root: apt-get install ${options.package}`;
      return line === undefined
        ? { status: options.need, detail: "not found", mend }
        : { status: "ok", detail: line };
    },
  };
}

async function kernelFinding(path: string): Promise<Finding> {
  const release = await kernelRelease(path);
  return release === undefined
    ? { status: "fail", detail: `no kernel at ${path}`, mend: SETUP }
    : { status: "ok", detail: `Linux ${release}` };
}

function fileFinding(path: string): Finding {
  return isAccessible(path, constants.R_OK)
    ? { status: "ok", detail: path }
    : { status: "fail", detail: `nothing to read at ${path}`, mend: SETUP };
}

function dataRootFinding(path: string): Finding {
  const writable = folderFinding(path);
  if (writable.status !== "ok") return writable;
  const { bavail, bsize } = statfsSync(nearest(path));
  const free = bavail * bsize;
  const detail = `${path}, ${(free / 2 ** 30).toFixed(1)} GiB free`;
  return free >= LITTLE_SPACE
    ? { status: "ok", detail }
    : { status: "warn", detail, mend: "make room, or name another folder with --data-root" };
}

function folderFinding(path: string): Finding {
  const there = nearest(path);
  if (isAccessible(there, constants.W_OK | constants.X_OK)) return { status: "ok", detail: path };
  return {
    status: "fail",
    detail: `${path} cannot be written: ${there} belongs to someone else`,
    mend: "name another folder with DVM_DATA_ROOT, or become its owner",
  };
}

/** The folder itself or, as long as it is not there, the one that it will be made in. */
function nearest(path: string): string {
  return existsSync(path) || path === "/" ? path : nearest(dirname(path));
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [hasMajor = 0, hasMinor = 0] = version.split(".").map(Number);
  return hasMajor > major || (hasMajor === major && hasMinor >= minor);
}
