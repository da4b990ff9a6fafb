/**
 * What a MiB of a container's output costs in the guest: instructions of kernel and programs, the agent among them,
 * from `cat` of a file to the port. A TCG plugin counts them, so that no other load disturbs the figure.
 *
 * usage: node bench/output-instructions.ts [MIB]
 */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageDisk } from "./machine/image-disk.ts";
import { buildPlugin } from "./machine/plugin.ts";
import { type Profile, profile } from "./machine/symbols.ts";
import { tracedBoot } from "./machine/traced-boot.ts";
import { IMAGES, SYSTEM_MAP } from "./paths.ts";

/** Functions that are named. */
const NAMED = 12;

const mib = Number(process.argv[2] ?? 32);
const folder = await mkdtemp(join(tmpdir(), "dvm-bench-"));
try {
  const plugin = await buildPlugin("profile", folder);
  const disks = [await imageDisk(join(IMAGES, "busybox"), folder)];
  const systemMap = await readFile(SYSTEM_MAP, "utf8");
  const out = join(folder, "blocks");
  const counted = async (script: string): Promise<Profile> => {
    const counter = `${plugin},out=${out}`;
    await tracedBoot({ accelerator: "tcg", counter, disks, words: ["sh", "-c", script] });
    return profile(await readFile(out, "utf8"), systemMap);
  };
  const fill = `dd if=/dev/zero of=/f bs=1M count=${mib} 2>/dev/null; true`;
  tell(await counted(fill), await counted(`${fill}; cat /f`));
} finally {
  await rm(folder, { recursive: true, force: true });
}

function tell(without: Profile, whole: Profile): void {
  const each = (count: number) => (count / mib / 1000).toFixed(0);
  const before = new Map(without.functions);
  const functions = whole.functions
    .map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const)
    .toSorted(([, a], [, b]) => b - a);
  const lines = [
    `thousands of guest instructions a MiB: kernel ${each(whole.kernel - without.kernel)}, programs ${each(whole.user - without.user)}`,
    ...functions.slice(0, NAMED).map(([name, count]) => `  ${name.padEnd(32)} ${each(count)}`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
