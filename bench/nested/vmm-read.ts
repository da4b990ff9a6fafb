/**
 * Runs in the nested host: a container with little memory reads a file of 256 MB from its disk, on QEMU's microvm and
 * on our VMM in turn. Then it writes a MB to its output. Prints one line of JSON: how long the reading took, the
 * processor time of the VMM per MB, the guest's own included, and our VMM's exits per byte written.
 *
 * usage: node bench/nested/vmm-read.ts RUNS
 */

import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { parseFlags } from "../../host/cli/parse/flag-set.ts";
import { runConfig } from "../../host/cli/run-config.ts";
import { runFlags } from "../../host/cli/run-flags.ts";
import { Daemon } from "../../host/engine/daemon/daemon.ts";
import { enginePaths } from "../../host/engine/paths.ts";
import { realParts } from "../../host/engine/real-parts.ts";
import { runAttached } from "../../host/engine/test-run.ts";
import { interleave } from "../measure/interleave.ts";

const MEGABYTES = 256;
const OUTPUT = 1_048_576;
const SCRIPT = `dd if=/dev/zero of=/file bs=1M count=${MEGABYTES} 2>/dev/null; sync; echo begin
dd if=/file of=/dev/null bs=1M 2>/dev/null; echo end; read line; tr '\\0' x </dev/zero | head -c ${OUTPUT}; read line`;
/** USER_HZ of Linux on x86, in `ticks per second` */
const TICKS = 100;

const runs = Number(process.argv[2] ?? 3);
const folder = mkdtempSync(join(tmpdir(), "dvm-bench-"));
const daemon = await Daemon.open({ paths: enginePaths(process.env, folder), parts: realParts });
const processorTime: Record<string, number[]> = { qemu: [], kvm: [] };
const exitsPerByte: number[] = [];
const comparison = await interleave(
  [
    { name: "QEMU microvm: 256 MB read in order", once: () => timed("qemu") },
    { name: "dvm-vmm: 256 MB read in order", once: () => timed("kvm") },
  ],
  runs,
);
await daemon[Symbol.asyncDispose]();
rmSync(folder, { recursive: true });
process.stdout.write(`\nREAD ${JSON.stringify({ ...comparison, processorTime, exitsPerByte })}\n`);

async function timed(vmm: "qemu" | "kvm"): Promise<number> {
  const words = ["-i", "--rm", "--vmm", vmm, "--accel", "kvm", "--network", "none", "-m", "64m"];
  const { values } = parseFlags(runFlags, words, { interspersed: false });
  const command = ["sh", "-c", SCRIPT];
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  let [began, used, time, exits, written] = [0, 0, Number.NaN, Number.NaN, 0];
  stdout.on("data", (data: Buffer) => {
    const text = data.toString();
    if (text.includes("end")) {
      time = performance.now() - began;
      processorTime[vmm]?.push((processorTimeOf(vmm) - used) / MEGABYTES);
      void exitsOf(vmm).then((count) => {
        exits = count;
        stdin.write("\n");
      });
    } else if (text.includes("begin")) {
      [began, used] = [performance.now(), processorTimeOf(vmm)];
    } else {
      written += data.length;
      if (written < OUTPUT) return;
      void exitsOf(vmm).then((count) => {
        if (vmm === "kvm") exitsPerByte.push((count - exits) / OUTPUT);
        stdin.end("\n");
      });
    }
  });
  const config = runConfig({ values, image: "busybox", command, environment: {} });
  const { ended } = await runAttached(daemon, { ...config, stdinOnce: true }, { stdin, stdout });
  await ended;
  return time;
}

/** Processor time of the one VMM that runs, in `milliseconds`. */
function processorTimeOf(vmm: "qemu" | "kvm"): number {
  const fields = readFileSync(`/proc/${processOf(vmm)}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  const [user, system] = [fields[11], fields[12]].map(Number); // utime and stime, proc(5)
  return (((user ?? 0) + (system ?? 0)) * 1000) / TICKS;
}

/** How often the one VMM of ours that runs was left by its guest so far. */
async function exitsOf(vmm: "qemu" | "kvm"): Promise<number> {
  if (vmm === "qemu") return Number.NaN;
  const runDirectory = wordsOf(processOf(vmm)).findLast((word) => word.startsWith("/")) ?? "";
  const socket = connect(join(runDirectory, "control.sock"));
  await once(socket, "connect");
  socket.write("{}");
  return Number((JSON.parse(await text(socket)) as { readonly exits: number }).exits); // MachineStatistics
}

function processOf(vmm: "qemu" | "kvm"): string {
  const program = vmm === "qemu" ? "qemu-system" : "dvm-vmm";
  const isIt = (pid: string): boolean => wordsOf(pid)[0]?.includes(program) ?? false;
  return readdirSync("/proc").find((name) => /^\d+$/.test(name) && isIt(name)) ?? "";
}

function wordsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}
