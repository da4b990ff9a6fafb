/** The initramfs of the floor: what the same kernel and QEMU need for a guest that does nothing at all. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cpioArchive } from "../../guest-agent/engine/cpio.ts";
import { runCommand } from "../measure/command.ts";

const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;

/** Builds it in `folder` and gives its path. */
export async function floorInitramfs(folder: string): Promise<string> {
  return pack(folder, "poweroff", ["-nostdlib"]);
}

/** One whose init writes so many bytes to the agent's port. */
export async function floodInitramfs(folder: string, bytes: number): Promise<string> {
  return pack(folder, "flood", [`-DFLOOD_BYTES=${bytes}L`]);
}

async function pack(folder: string, name: string, flags: readonly string[]): Promise<string> {
  const program = join(folder, name);
  const source = join(import.meta.dirname, `${name}.c`);
  await runCommand("gcc", ["-static", "-O2", ...flags, "-o", program, source]);
  const path = join(folder, `${name}.cpio`);
  const init = { name: "init", mode: S_IFREG | 0o755, content: await readFile(program) };
  const dev = { name: "dev", mode: S_IFDIR | 0o755, content: new Uint8Array(0) };
  await writeFile(path, cpioArchive([dev, init]));
  return path;
}
