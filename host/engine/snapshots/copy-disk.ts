/** A copy of a disk that takes no room of its own where the file system can share it, and has the same holes elsewhere. */

import { constants } from "node:fs";
import { copyFile, type FileHandle, open } from "node:fs/promises";
import { dataExtents } from "../../sys/data-extents.ts";

/** Copied at once, in `bytes`. */
const PIECE = 1024 * 1024;

/** @param to must not exist; nothing is left of it on failure but what the caller has to remove */
export async function copyDisk(from: string, to: string): Promise<void> {
  const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = constants;
  try {
    await copyFile(from, to, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE);
    return;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["ENOTSUP", "EOPNOTSUPP", "EXDEV", "ENOTTY", "EINVAL", "ENOSYS"].includes(code))
      throw error;
  }
  await copyData(from, to);
}

async function copyData(from: string, to: string): Promise<void> {
  await using source = await open(from, "r");
  await using target = await open(to, "wx", 0o600);
  await target.truncate((await source.stat()).size);
  const buffer = Buffer.allocUnsafe(PIECE);
  for (const { offset, length } of dataExtents(from)) {
    for (let at = offset; at < offset + length; ) {
      const wanted = Math.min(PIECE, offset + length - at);
      const { bytesRead } = await source.read(buffer, 0, wanted, at);
      if (bytesRead === 0) return;
      await writeAll(target, buffer.subarray(0, bytesRead), at);
      at += bytesRead;
    }
  }
}

async function writeAll(target: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await target.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
