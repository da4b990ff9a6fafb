/** What dvm and the parts that it is made of say of their versions. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROTOCOL_VERSION } from "#protocol";
import { artifactPaths, PROJECT_ROOT } from "../engine/artifacts.ts";
import { kernelRelease } from "./kernel-release.ts";
import { programSays } from "./program.ts";

/** `dvm version --format json` prints it as it is. */
export interface VersionInfo {
  readonly version: string;
  /** Node's version */
  readonly node: string;
  /** version of the protocol between host and guest agent */
  readonly protocol: number;
  /** release of the guest kernel; absent: not built */
  readonly kernel?: string;
  /** version of QEMU; absent: not installed */
  readonly qemu?: string;
  /** `OS/architecture` in Go's spelling */
  readonly platform: string;
}

export async function versionInfo(): Promise<VersionInfo> {
  const kernel = await kernelRelease(artifactPaths().kernel);
  const qemu = qemuVersion(await programSays("qemu-system-x86_64", ["--version"]));
  return {
    version: dvmVersion(),
    node: process.versions.node,
    protocol: PROTOCOL_VERSION,
    ...(kernel === undefined ? {} : { kernel }),
    ...(qemu === undefined ? {} : { qemu }),
    platform: `linux/${process.arch === "x64" ? "amd64" : process.arch}`,
  };
}

export function dvmVersion(): string {
  const manifest: { readonly version?: unknown } = JSON.parse(
    readFileSync(join(PROJECT_ROOT, "package.json"), "utf8"),
  );
  return String(manifest.version);
}

/** `7.2.19` out of `QEMU emulator version 7.2.19 (…)`. */
export function qemuVersion(line: string | undefined): string | undefined {
  return /version (\d+(?:\.\d+)+)/.exec(line ?? "")?.[1];
}
