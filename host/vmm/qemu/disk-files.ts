/** The small files that QEMU needs beside a joined disk: its VMDK descriptor, and a file of zeros. */

import { access, constants, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VmmError, type VmmErrorCode } from "../errors.ts";
import type { DiskConfig, MachineConfig } from "../hypervisor.ts";
import { descriptorPath } from "./qemu-arguments.ts";
import { longestZeroExtent, vmdkDescriptor } from "./vmdk-descriptor.ts";

/** Files made for one VM, removed when it is over. */
export class DiskFiles implements AsyncDisposable {
  readonly #paths: string[] = [];

  /**
   * Checks that the machine's files are there and writes what has to be written.
   *
   * @throws {VmmError} naming the file that is missing
   */
  static async prepare(config: MachineConfig): Promise<DiskFiles> {
    await Promise.all([
      checkReadable("VMM_KERNEL_NOT_FOUND", "guest kernel", config.kernel),
      checkReadable("VMM_INITRAMFS_NOT_FOUND", "guest initramfs", config.initramfs),
      ...filesOf(config.disks).map((path) =>
        checkReadable("VMM_DISK_NOT_FOUND", "disk file", path),
      ),
    ]);
    const files = new DiskFiles();
    try {
      await files.#write(config);
    } catch (error) {
      await files[Symbol.asyncDispose]();
      throw error;
    }
    return files;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#paths.map((path) => rm(path, { force: true })));
  }

  async #write({ disks, runDirectory }: MachineConfig): Promise<void> {
    const zeroFile = join(runDirectory, "zeros");
    let zeros = 0;
    for (const [index, { source }] of disks.entries()) {
      if (source.kind !== "extents") continue;
      zeros = Math.max(zeros, longestZeroExtent(source.extents));
      const text = vmdkDescriptor({ extents: source.extents, zeroFile });
      const path = descriptorPath(runDirectory, index);
      this.#paths.push(path);
      await writeFile(path, text, { mode: 0o600 });
    }
    if (zeros > 0) {
      this.#paths.push(zeroFile);
      await using file = await open(zeroFile, "w", 0o600);
      await file.truncate(zeros);
    }
  }
}

export function filesOf(disks: readonly DiskConfig[]): string[] {
  const paths = disks.flatMap(({ source }) =>
    source.kind === "file"
      ? [source.path, ...(source.backing === undefined ? [] : [source.backing])]
      : source.extents.flatMap((extent) => (extent.kind === "file" ? [extent.path] : [])),
  );
  return [...new Set(paths)];
}

async function checkReadable(code: VmmErrorCode, what: string, path: string): Promise<void> {
  if (!path.startsWith("/")) {
    throw new VmmError("VMM_CONFIG_INVALID", `${what} ${path} is no absolute path`);
  }
  try {
    await access(path, constants.R_OK);
  } catch (cause) {
    throw new VmmError(code, `${what} ${path} cannot be read`, { cause });
  }
}
