/** A folder of the host in place of an image (podman-run(1), `--rootfs`). */

import { stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import type { RunConfig } from "../../image/config.ts";
import type { PreparedImage } from "../engine-parts.ts";
import { storageError } from "./errors.ts";

/** What an image says of its process that says nothing. */
const NOTHING: RunConfig = {
  user: "",
  env: [],
  entrypoint: undefined,
  cmd: undefined,
  workingDir: "",
  labels: {},
  exposedPorts: [],
  volumes: [],
  stopSignal: undefined,
  stopTimeout: undefined,
  healthcheck: undefined,
};

/**
 * @param caller uid of who wants it: a folder is the daemon's own user's to give away
 * @throws DvmError `STORAGE_INVALID`
 */
export async function prepareFolder(
  folder: string,
  caller: number | undefined,
): Promise<PreparedImage> {
  const own = process.getuid?.() ?? 0;
  if (caller !== undefined && caller !== 0 && caller !== own) {
    throw storageError(
      "STORAGE_INVALID",
      `a folder of the host as root is not for others: ${folder}`,
    );
  }
  const isFolder = isAbsolute(folder) && (await isDirectory(folder));
  if (!isFolder) {
    throw storageError("STORAGE_INVALID", `--rootfs wants an absolute path of a folder: ${folder}`);
  }
  return {
    name: folder,
    manifestDigest: "",
    run: NOTHING,
    extents: [],
    linkFlatDisk: async () => {
      throw storageError("STORAGE_INVALID", `${folder} is no image`);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
