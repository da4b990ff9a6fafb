/**
 * Builds the jail of `host/vmm/jail`, one static binary on the guest agent's engine, and what it preloads into clones.
 * Does nothing when nothing changed.
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { buildProgram } from "../guest-agent/engine/build.ts";
import { engineHash, engineObjects } from "../guest-agent/engine/engine-objects.ts";
import { runTool } from "../guest-agent/engine/run-tool.ts";
import { CLONE_MEMORY, PRIVATE_MEMORY } from "../host/vmm/qemu/template-arguments.ts";

const LIBRARY_SOURCE = "host/vmm/qemu/private-memory.c";

export interface BuildJailOptions {
  /** the project's top folder */
  readonly root: string;
  /** folder for the source and the objects of QuickJS; shared by all checkouts */
  readonly cacheDirectory: string;
  readonly onProgress: (text: string) => void;
}

/** @throws AgentBuildError */
export async function buildJail({
  root,
  cacheDirectory,
  onProgress,
}: BuildJailOptions): Promise<void> {
  const out = join(root, "build/jail");
  const inputs = await hashInputs(root);
  const stamp = join(out, "inputs");
  const isThere = ["jail", PRIVATE_MEMORY, "inputs"].every((name) => existsSync(join(out, name)));
  if (isThere && (await readFile(stamp, "utf8")) === inputs) return;
  const engine = await engineObjects(cacheDirectory, onProgress);
  onProgress("building the jail");
  await mkdir(out, { recursive: true });
  const work = await mkdtemp(join(out, "build-"));
  try {
    await buildProgram({ entry: join(root, "host/vmm/jail/program/main.ts"), engine, work });
    await rename(join(work, "agent"), join(out, "jail"));
    await buildLibrary(join(root, LIBRARY_SOURCE), join(work, PRIVATE_MEMORY));
    await rename(join(work, PRIVATE_MEMORY), join(out, PRIVATE_MEMORY));
    // it comes last: it vouches for the binary
    await writeFile(join(work, "inputs"), inputs);
    await rename(join(work, "inputs"), stamp);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** With the host's C library, which is QEMU's, and nothing that it brings along itself. */
async function buildLibrary(source: string, output: string): Promise<void> {
  const flags = ["-shared", "-fPIC", "-Os", "-Wall", "-nostdlib"];
  const define = `-DMEMORY_PATH="${CLONE_MEMORY}"`;
  await runTool("gcc", [...flags, define, "-o", output, source], {
    directory: dirname(output),
    failure: "AGENT_COMPILE",
  });
}

async function hashInputs(root: string): Promise<string> {
  const hash = createHash("sha256").update(await engineHash());
  hash.update(CLONE_MEMORY).update(await readFile(join(root, LIBRARY_SOURCE)));
  for (const folder of [
    "host/vmm/jail",
    "host/vmm/jail/program",
    "host/sys/quickjs",
    "guest-agent/linux",
  ]) {
    for (const name of (await readdir(join(root, folder))).sort()) {
      if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
      hash.update(`${name}\0`).update(await readFile(join(root, folder, name)));
    }
  }
  return hash.digest("hex");
}
