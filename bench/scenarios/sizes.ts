/** Sizes: what dvm's parts weigh, on disk and in the guest. */

import { mkdtemp, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Lacking } from "../arms/arm.ts";
import { benchLayout } from "../image/bench-layout.ts";
import { imageDisk } from "../machine/image-disk.ts";
import { BOOT_MEMORY, tracedBoot } from "../machine/traced-boot.ts";
import { AGENT, KERNEL, KERNEL_MANIFEST, PROJECT } from "../paths.ts";
import { plainSession, type Scenario } from "./scenario.ts";

/** Folders of the VMM whose lines count. */
const VMM = ["kvm", "devices", "x86_64", "memory", "process"].map((name) => `host/vmm/${name}`);

export const sizes: Scenario = {
  name: "sizes",
  title: "Sizes of dvm's parts",
  question: "What do agent, kernel and VMM weigh?",
  tools: [],
  rounds: 1,
  usual: false,
  warmUp: false,
  arms: "dvm",
  metrics: [
    {
      name: "agent-binary",
      title: "guest agent on disk",
      unit: "MB",
      better: "lower",
      how: "size of the file, in millions of bytes",
    },
    {
      name: "agent-resident",
      title: "guest agent in memory",
      unit: "MiB",
      better: "lower",
      how: `VmRSS of /proc/1/status, read by a container that shares the guest's PID namespace; ${BOOT_MEMORY} MiB of guest`,
    },
    {
      name: "kernel",
      title: "guest kernel on disk",
      unit: "MB",
      better: "lower",
      how: "size of the file, in millions of bytes",
    },
    {
      name: "kernel-build",
      title: "last build of the guest kernel",
      unit: "s",
      better: "lower",
      how: "as the build itself noted it, with all that the machine did besides",
    },
    {
      name: "vmm-lines",
      title: "lines of the VMM",
      unit: "lines",
      better: "lower",
      how: `lines of TypeScript that hold code, not blank and no comment alone, in ${VMM.join(", ")}; tests and what only they use left out`,
    },
  ],
  async open({ arm, folder, say }) {
    if (!arm.name.startsWith("dvm-qemu")) throw new Lacking("it weighs the same as under QEMU");
    const work = await mkdtemp(join(folder, "sizes-"));
    const disks = [await imageDisk(await benchLayout("busybox", say), work)];
    return plainSession(async () => {
      const words = ["cat", "/proc/1/status"];
      const accelerator = arm.name === "dvm-qemu-kvm" ? "kvm" : "tcg";
      const { printed } = await tracedBoot({ accelerator, disks, words });
      const resident = /^VmRSS:\s+(\d+) kB/m.exec(printed)?.[1];
      const manifest: { readonly buildSeconds?: unknown } = JSON.parse(
        await readFile(KERNEL_MANIFEST, "utf8"),
      );
      return {
        "agent-binary": (await stat(AGENT)).size / 1e6,
        "agent-resident": Number(resident ?? Number.NaN) / 1024,
        kernel: (await stat(KERNEL)).size / 1e6,
        "kernel-build": Number(manifest.buildSeconds ?? Number.NaN),
        "vmm-lines": await linesOf(VMM),
      };
    });
  },
};

/** Such a line begins a comment, or goes on with one: the formatter sees to that. */
const COMMENT = /^(\/\/|\/\*|\*)/;

async function linesOf(folders: readonly string[]): Promise<number> {
  let lines = 0;
  for (const folder of folders) {
    for (const name of await readdir(join(PROJECT, folder), { recursive: true })) {
      if (!name.endsWith(".ts") || /test|nested|small-guest/.test(name)) continue;
      const text = await readFile(join(PROJECT, folder, name), "utf8");
      const code = (line: string) => line.trim() !== "" && !COMMENT.test(line.trim());
      lines += text.split("\n").filter(code).length;
    }
  }
  return lines;
}
