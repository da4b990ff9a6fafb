/** The disk of a volume: an ext4 with an empty folder for the content. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { makeWritableDisk } from "../../rootfs/writable-disk.ts";
import { volumeError } from "./errors.ts";

const run = promisify(execFile);

/** Folder of a disk that is mounted: beside it lies what ext4 has of its own, `lost+found`. */
export const DISK_CONTENT = "data";

/**
 * @param options `bytes` of the disk, and the folder that keeps what formatting comes to
 * @throws DvmError from the formatting, `VOLUME_INVALID` when the folder cannot be made
 */
export async function makeVolumeDisk(
  path: string,
  options: { readonly bytes: number; readonly templates: string },
): Promise<void> {
  await makeWritableDisk({ path, ...options });
  const env = { PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` };
  const { stderr } = await run("debugfs", ["-w", "-R", `mkdir ${DISK_CONTENT}`, path], { env });
  // debugfs(8) ends with 0 whatever happens; its first line is its version
  const complaint = stderr.trim().split("\n").slice(1).join(" ");
  if (complaint === "") return;
  throw volumeError("VOLUME_INVALID", `cannot prepare the disk ${path}: ${complaint}`);
}
