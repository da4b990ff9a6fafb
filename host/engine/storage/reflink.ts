/** Copies of files that share their extents with the original until either is written: ioctl FICLONE (ioctl_ficlonerange(2)). */

import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { storageError } from "./errors.ts";

/** statfs(2), uapi/linux/magic.h */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: "ext4",
  2435016766: "btrfs",
  1481003842: "xfs",
  801189825: "zfs",
  16914836: "tmpfs",
  2035054128: "overlay",
  26985: "nfs",
  4076150800: "f2fs",
};

/** What FICLONE answers where it cannot: no such call, another file system, files that it does not take. */
const REFUSALS = new Set(["ENOTSUP", "EOPNOTSUPP", "EXDEV", "EINVAL", "ENOSYS", "ENOTTY"]);

/** @throws DvmError `STORAGE_UNSUPPORTED` where the file system shares no extents; no copy is left then */
export async function cloneFile(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (!REFUSALS.has(code)) throw cause;
    await rm(to, { force: true });
    const folder = dirname(to);
    const message = `the reflink storage driver wants a file system that shares extents, and ${folder} is on ${await fileSystemOf(folder)}`;
    throw storageError("STORAGE_UNSUPPORTED", message, {
      cause,
      hint: "put the data root on btrfs, xfs with reflink=1, or zfs, or take --storage-opt driver=block",
    });
  }
}

/** @throws DvmError `STORAGE_UNSUPPORTED` where copies in the folder would share nothing */
export async function checkReflink(folder: string): Promise<void> {
  const probe = join(folder, `.reflink-${process.pid}-${randomBytes(6).toString("hex")}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await writeFile(probe, Buffer.alloc(4096, 1), { mode: 0o600 });
    await cloneFile(probe, `${probe}.copy`);
  } finally {
    await rm(probe, { force: true });
    await rm(`${probe}.copy`, { force: true });
  }
}

/** Name of a folder's file system, or its number. */
export async function fileSystemOf(folder: string): Promise<string> {
  const { type } = await statfs(folder);
  return FILE_SYSTEMS[type >>> 0] ?? `file system 0x${(type >>> 0).toString(16)}`;
}
