/**
 * Our VMM beside QEMU's microvm, both on KVM, in the nested host. The processor there is emulated, which makes
 * Node's own start some twenty times what it is on a real one: so the time from the first call to KVM stands beside
 * that of the whole process. Then what reading a disk takes.
 *
 * With --counted a nanosecond is an instruction of the one processor that the host has then: work, whatever else this
 * machine does.
 *
 * usage: node bench/vmm.ts [RUNS] [--counted]
 */

import { join, relative } from "node:path";
import { runInNestedHost } from "../host/vmm/process/nested/nested-host.ts";
import { describeEnvironment } from "./environment.ts";
import type { Comparison } from "./measure/interleave.ts";
import { summarise } from "./measure/summary.ts";
import { IMAGES, INITRAMFS, KERNEL, PROJECT } from "./paths.ts";
import { report } from "./report.ts";

const QEMU_DATA = "/usr/share/qemu";
/** QEMU's microvm, and what the backend starts it by. */
const PROGRAMS = ["/usr/bin/qemu-system-x86_64", "/usr/bin/setpriv", "/usr/sbin/mkfs.ext4"];
const TIMEOUT = 1_200_000;

const [count = "10", ...flags] = process.argv.slice(2);
const runs = Number(count);
const counted = flags.includes("--counted");
const { output, exitCode } = await runInNestedHost({
  command: `mkdir -p ${QEMU_DATA} && cp qemu/* ${QEMU_DATA}
    node bench/nested/vmm-start.ts ${runs}; DVM_TEMPLATE=off node bench/nested/vmm-read.ts ${runs}`,
  files: {
    ...Object.fromEntries(
      [KERNEL, INITRAMFS, join(IMAGES, "busybox")].map((path) => [relative(PROJECT, path), path]),
    ),
    bench: join(PROJECT, "bench"),
    "build/jail": join(PROJECT, "build/jail"),
    "qemu/qboot.rom": join(QEMU_DATA, "qboot.rom"),
  },
  programs: PROGRAMS,
  timeout: TIMEOUT,
  counted,
});
const environment = await describeEnvironment();
const { exits, ...starts } = resultOf<{ readonly exits: number[] }>("RESULT");
await report(counted ? "vmm-counted" : "vmm", { environment, unit: "ms", ...starts });
process.stdout.write(`  exits to agent ready: ${JSON.stringify(summarise(exits))}\n`);
interface Reading {
  readonly processorTime: Readonly<Record<string, number[]>>;
  readonly exitsPerByte: readonly number[];
}
const { processorTime, exitsPerByte, ...reads } = resultOf<Reading>("READ");
await report(counted ? "vmm-read-counted" : "vmm-read", { environment, unit: "ms", ...reads });
for (const [vmm, values] of Object.entries(processorTime)) {
  process.stdout.write(
    `  processor time per MB, ${vmm}: ${JSON.stringify(summarise(values))} ms\n`,
  );
}
process.stdout.write(`  exits per console byte: ${JSON.stringify(summarise(exitsPerByte))}\n`);

function resultOf<More>(mark: string): Comparison & More {
  const text = new RegExp(`^${mark} (.*)$`, "m").exec(output)?.[1];
  if (text === undefined) throw new Error(`the nested host ended with ${exitCode}:\n${output}`);
  return JSON.parse(text) as Comparison & More; // written by our own programs
}
