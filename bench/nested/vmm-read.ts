/**
 * Runs in the nested host: a container with little memory reads a file of 256 MB from its disk, on QEMU's microvm and
 * on our VMM in turn. Prints one line of JSON: how long that took, and the processor time of the VMM per MB, the
 * guest's own included.
 *
 * usage: node bench/nested/vmm-read.ts RUNS
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { parseFlags } from "../../host/cli/parse/flag-set.ts";
import { runConfig } from "../../host/cli/run-config.ts";
import { runFlags } from "../../host/cli/run-flags.ts";
import { Daemon } from "../../host/engine/daemon/daemon.ts";
import { enginePaths } from "../../host/engine/paths.ts";
import { realParts } from "../../host/engine/real-parts.ts";
import { runAttached } from "../../host/engine/test-run.ts";
import { interleave } from "../measure/interleave.ts";

const MEGABYTES = 256;
const SCRIPT = `dd if=/dev/zero of=/file bs=1M count=${MEGABYTES} 2>/dev/null; sync; echo begin
dd if=/file of=/dev/null bs=1M 2>/dev/null; echo end`;
/** USER_HZ of Linux on x86, in `ticks per second` */
const TICKS = 100;

const runs = Number(process.argv[2] ?? 3);
const folder = mkdtempSync(join(tmpdir(), "dvm-bench-"));
const daemon = await Daemon.open({ paths: enginePaths(process.env, folder), parts: realParts });
const processorTime: Record<string, number[]> = { qemu: [], kvm: [] };
const comparison = await interleave(
  [
    { name: "QEMU microvm: 256 MB read in order", once: () => timed("qemu") },
    { name: "dvm-vmm: 256 MB read in order", once: () => timed("kvm") },
  ],
  runs,
);
await daemon[Symbol.asyncDispose]();
rmSync(folder, { recursive: true });
process.stdout.write(`\nREAD ${JSON.stringify({ ...comparison, processorTime })}\n`);

async function timed(vmm: "qemu" | "kvm"): Promise<number> {
  const words = ["--rm", "--vmm", vmm, "--accel", "kvm", "--network", "none", "-m", "64m"];
  const { values } = parseFlags(runFlags, words, { interspersed: false });
  const command = ["sh", "-c", SCRIPT];
  const stdout = new PassThrough();
  let [began, used, time] = [0, 0, Number.NaN];
  stdout.on("data", (data: Buffer) => {
    const text = data.toString();
    if (text.includes("end")) {
      time = performance.now() - began;
      processorTime[vmm]?.push((processorTimeOf(vmm) - used) / MEGABYTES);
    } else if (text.includes("begin")) {
      [began, used] = [performance.now(), processorTimeOf(vmm)];
    }
  });
  const config = runConfig({ values, image: "busybox", command, environment: {} });
  const { ended } = await runAttached(daemon, config, { stdout });
  await ended;
  return time;
}

/** Processor time of the one VMM that runs, in `milliseconds`. */
function processorTimeOf(vmm: "qemu" | "kvm"): number {
  const program = vmm === "qemu" ? "qemu-system" : "dvm-vmm";
  const [pid] = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isOf(name, program));
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  const [user, system] = [fields[11], fields[12]].map(Number); // utime and stime, proc(5)
  return (((user ?? 0) + (system ?? 0)) * 1000) / TICKS;
}

function isOf(pid: string, program: string): boolean {
  try {
    const [name = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return name.includes(program);
  } catch {
    return false;
  }
}
