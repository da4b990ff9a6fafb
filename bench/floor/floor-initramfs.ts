/** The initramfs of the floor: what the same kernel and QEMU need for a guest that does nothing at all. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cpioArchive } from "../../guest-agent/engine/cpio.ts";
import { runCommand } from "../measure/command.ts";

const S_IFREG = 0o100000;

/** Builds it in `folder` and gives its path. */
export async function floorInitramfs(folder: string): Promise<string> {
  const program = join(folder, "poweroff");
  const source = join(import.meta.dirname, "poweroff.c");
  await runCommand("gcc", ["-static", "-nostdlib", "-O2", "-o", program, source]);
  const path = join(folder, "floor.cpio");
  const init = { name: "init", mode: S_IFREG | 0o755, content: await readFile(program) };
  await writeFile(path, cpioArchive([init]));
  return path;
}
