/** For tests: a data root on a file system whose files share extents, an xfs in a file. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { TestUser } from "../test-dvm.ts";

/** Why there can be none here; false: there can. */
export const whyNoReflink: string | false =
  process.getuid?.() === 0 && existsSync("/usr/sbin/mkfs.xfs") ? false : "needs root, and xfsprogs";

/** Before the user's first call. */
export function mountReflinking({ folder, dataRoot }: TestUser): void {
  const disk = join(folder, "xfs");
  execFileSync("truncate", ["-s", "1G", disk]);
  execFileSync("mkfs.xfs", ["-q", "-m", "reflink=1", disk]);
  mkdirSync(dataRoot);
  execFileSync("mount", ["-o", "loop", disk, dataRoot]);
}

/** Before the user is disposed of: its daemon ends. */
export function unmountReflinking({ daemon, dataRoot }: TestUser): void {
  if (daemon !== undefined) process.kill(daemon, "SIGKILL");
  execFileSync("umount", ["--lazy", dataRoot]);
}
