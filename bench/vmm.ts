/**
 * Our VMM beside QEMU's microvm, both on KVM, in the nested host. The processor there is emulated, which makes
 * Node's own start some twenty times what it is on a real one: so the time from the first call to KVM stands beside
 * that of the whole process.
 *
 * usage: node bench/vmm.ts [RUNS]
 */

import { join, relative } from "node:path";
import { runInNestedHost } from "../host/vmm/process/nested/nested-host.ts";
import { describeEnvironment } from "./environment.ts";
import type { Comparison } from "./measure/interleave.ts";
import { summarise } from "./measure/summary.ts";
import { INITRAMFS, KERNEL, PROJECT } from "./paths.ts";
import { report } from "./report.ts";

const QEMU_DATA = "/usr/share/qemu";
/** QEMU's microvm, and what the backend starts it by. */
const PROGRAMS = ["/usr/bin/qemu-system-x86_64", "/usr/bin/setpriv"];
const TIMEOUT = 1_200_000;

const runs = Number(process.argv[2] ?? 10);
const { output, exitCode } = await runInNestedHost({
  command: `mkdir -p /usr/share && ln -s /dvm/qemu ${QEMU_DATA} && node bench/nested/vmm-start.ts ${runs}`,
  files: {
    ...Object.fromEntries([KERNEL, INITRAMFS].map((path) => [relative(PROJECT, path), path])),
    bench: join(PROJECT, "bench"),
    "qemu/qboot.rom": join(QEMU_DATA, "qboot.rom"),
  },
  programs: PROGRAMS,
  timeout: TIMEOUT,
});
const text = /^RESULT (.*)$/m.exec(output)?.[1];
if (text === undefined) throw new Error(`the nested host ended with ${exitCode}:\n${output}`);
const { exits, ...comparison } = JSON.parse(text) as Comparison & { readonly exits: number[] };
await report("vmm", { environment: await describeEnvironment(), unit: "ms", ...comparison });
process.stdout.write(`  exits to agent ready: ${JSON.stringify(summarise(exits))}\n`);
