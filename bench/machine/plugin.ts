/** QEMU's TCG plugins of the benches, built where they are used. */

import { join } from "node:path";
import { runCommand } from "../measure/command.ts";

/** @returns the path of the plugin, built into `folder` */
export async function buildPlugin(
  name: "instructions" | "profile",
  folder: string,
): Promise<string> {
  const plugin = join(folder, `${name}.so`);
  const source = join(import.meta.dirname, `../instruction-counter/${name}.c`);
  await runCommand("gcc", ["-shared", "-fPIC", "-O2", "-o", plugin, source]);
  return plugin;
}
