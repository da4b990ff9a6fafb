/** The demo: a container in a microVM, and what ran where. */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const dvm = join(import.meta.dirname, "dvm");

/** What both sides are asked, so that the answers can be compared line by line. */
const QUESTIONS = [
  'echo "kernel:       $(uname -sr)"',
  'echo "boot id:      $(cat /proc/sys/kernel/random/boot_id)"',
  'echo "processors:   $(grep -c ^processor /proc/cpuinfo)"',
  'echo "memory:       $(grep MemTotal /proc/meminfo | tr -s " " | cut -d " " -f 2,3)"',
  'echo "processes:    $(ls /proc | grep -c "^[0-9]")"',
  'echo "process 1:    $(tr "\\0" " " < /proc/1/cmdline | cut -c 1-60)"',
  'echo "root:         $(grep " / " /proc/mounts | tail -n 1 | cut -d " " -f 3)"',
  'echo "user:         $(id -un), capabilities $(grep CapEff /proc/self/status | cut -f 2)"',
].join("; ");

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function run(title: string, command: string, args: readonly string[]): void {
  say(`\n== ${title}`);
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length;
say(
  `This host runs ${processes} processes on ${readFileSync("/proc/version", "utf8").split(" ").slice(0, 3).join(" ")}.`,
);
run("on the host", "sh", ["-c", QUESTIONS]);
run("in a container, in a microVM of its own: dvm run --rm --verbose busybox …", dvm, [
  "run",
  "--rm",
  "--verbose",
  "busybox",
  "sh",
  "-c",
  QUESTIONS,
]);
say("\nNow try: bin/dvm run --rm -it busybox sh");
