/** The files in a volume, which containers have made: counted and removed. */

import { spawn } from "node:child_process";
import { lstat, opendir, rm } from "node:fs/promises";
import { join } from "node:path";
import { idMapArguments } from "../../vmm/qemu/id-map.ts";

/**
 * Removes a folder with all that is in it; no link is followed. Files of a user's subordinate users are removed by
 * the root of the namespace in which they were made.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (process.getuid?.() === 0 || (code !== "EACCES" && code !== "EPERM")) throw error;
    await removeInNamespace(path);
  }
}

/** What the files take on the disk, in `bytes`; what cannot be read counts for nothing. */
export async function treeSize(path: string): Promise<number> {
  const { blocks } = await lstat(path).catch(() => ({ blocks: 0 }));
  let total = blocks * 512;
  try {
    for await (const entry of await opendir(path)) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) total += await treeSize(child);
      else total += (await lstat(child).catch(() => ({ blocks: 0 }))).blocks * 512;
    }
  } catch {
    // it went away meanwhile, or is another user's
  }
  return total;
}

function removeInNamespace(path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn("unshare", [...idMapArguments(), "--", "rm", "-rf", "--", path], {
    stdio: "ignore",
  });
  child.once("error", reject);
  child.once("exit", (code) => {
    if (code === 0) resolve();
    else reject(new Error(`cannot remove ${path}: rm ended with ${code}`));
  });
  return promise;
}
