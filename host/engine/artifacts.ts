/** The guest kernel and the guest agent's initramfs, as the project's set-up builds them. */

import { accessSync, constants } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { engineError } from "./errors.ts";

export interface Artifacts {
  /** uncompressed PVH vmlinux */
  readonly kernel: string;
  /** uncompressed cpio archive with the agent as /init */
  readonly initramfs: string;
}

/** The project's top folder. */
export const PROJECT_ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where the artifacts are; `DVM_KERNEL` and `DVM_INITRAMFS` override. */
export function artifactPaths(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Artifacts {
  return {
    kernel: environment.DVM_KERNEL || join(PROJECT_ROOT, "build", "kernel", "vmlinux"),
    initramfs: environment.DVM_INITRAMFS || join(PROJECT_ROOT, "build", "agent", "initramfs.cpio"),
  };
}

/** The program that machines run once before they are anybody's (guest-agent/engine/warm-up.c). */
export const WARM_UP_BINARY = join(PROJECT_ROOT, "build", "agent", "warm-up");

/** @throws DvmError `ARTIFACT_MISSING` for one that cannot be read */
export function findArtifacts(paths: Artifacts = artifactPaths()): Artifacts {
  requireReadable("guest kernel", paths.kernel);
  requireReadable("guest agent", paths.initramfs);
  return paths;
}

function requireReadable(what: string, path: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (cause) {
    throw engineError("ARTIFACT_MISSING", `no ${what} at ${path}`, {
      hint: `run 'npm run setup' in ${PROJECT_ROOT}`,
      cause,
    });
  }
}
