/**
 * What a container's storage is good at: a shared folder and a volume that is a disk beside the host's own file system,
 * and each limit beside what was asked. Roots and their drivers are compared by storage-drivers.ts.
 * Times are taken where the work is done, by the clock there, so that no start and no client is in them.
 *
 * usage: node bench/storage.ts [RUNS [SCENE...]]      scenes are read, git-status, tree, create, limits
 */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { chooseBackend } from "../host/vmm/factory.ts";
import { probeHost } from "../host/vmm/probe.ts";
import { buildImage } from "../images/build-image.ts";
import { workloads } from "../images/workloads/recipe.ts";
import { type OwnDaemon, openOwnDaemon } from "./engine/own-daemon.ts";
import { describeEnvironment } from "./environment.ts";
import { runCommand } from "./measure/command.ts";
import { type Arm, interleave } from "./measure/interleave.ts";
import { IMAGES } from "./paths.ts";
import { report } from "./report.ts";

const FILE_MIB = 256;
const TREE_FOLDERS = 200;
const FILES_A_FOLDER = 100;

const MIB = 1024 ** 2;
/** What is asked for in the limits' runs: `bytes per second`, operations per second, processors, processes, `MiB`. */
const ASKED = { bps: 8 * MIB, iops: 400, cpus: 0.5, pids: 100, memory: 64, disk: 1024 };
/** How much the limited runs move: eight seconds' worth. */
const SECONDS = 8;

/** Nothing of what is read is in the cache of whoever reads; the host keeps its own below a guest's. */
const DROP = "sync; echo 3 > /proc/sys/vm/drop_caches";

const runs = Number(process.argv[2] ?? 5);
const chosen = process.argv.slice(3);
const isChosen = (scene: string) => chosen.length === 0 || chosen.includes(scene);
const folder = await mkdtemp(join(tmpdir(), "dvm-bench-storage-"));
const share = join(folder, "share");
const environment = await describeEnvironment();
const accelerator = await acceleratorOfQemu();
let daemon: OwnDaemon | undefined;
try {
  await buildImage(workloads, {
    outDirectory: IMAGES,
    cacheDirectory: join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm/images"),
    onProgress: (text) => process.stderr.write(`${text}\n`),
  });
  await using own = await openOwnDaemon(folder);
  daemon = own;
  if (["read", "git-status", "tree", "create"].some(isChosen)) await compareFolders();
  if (isChosen("limits")) await limits();
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function compareFolders(): Promise<void> {
  await makeFiles();
  await dvm("volume", "create", "-o", "type=disk", "-o", "size=2g", "disk");
  const mounts = ["-v", `${share}:/s`, "-v", "disk:/d"];
  const words = ["run", "-d", "--name", "held", "--privileged", "--network", "none", "-m", "1g"];
  await dvm(...words, ...mounts, "workloads", "sleep", "100000");
  try {
    await compareAll();
  } finally {
    await dvm("rm", "-f", "held");
  }
}

async function compareAll(): Promise<void> {
  await inside("cp -a /s/. /d/; git -C /d/tree status > /dev/null");
  await compare("read", (path) => `${DROP}; cat ${path}/file > /dev/null`);
  // the first refreshes the index with the inodes of where it is
  const status = (path: string) => `git --no-optional-locks -C ${path}/tree status > /dev/null`;
  await compare("git-status", (path) => `${DROP}; ${status(path)}`, "cold caches");
  await compare("git-status", status, "warm caches");
  await compare("tree", (path) => `${DROP}; ls -lR ${path}/tree > /dev/null`);
  await compare("create", (path) => {
    const one = `mkdir ${path}/new; for i in $(seq 500); do echo x > ${path}/new/$i; done`;
    return `${one}; rm -r ${path}/new`;
  });
}

/** The same work on the host, on a shared folder, and on a disk of the container's own. */
async function compare(scene: string, work: (path: string) => string, how?: string): Promise<void> {
  if (!isChosen(scene)) return;
  const suffix = how === undefined ? "" : `, ${how}`;
  const comparison = await interleave(
    [
      { name: `host${suffix}`, once: () => onHost(work(share)) },
      { name: `shared folder (${accelerator})${suffix}`, once: () => inside(work("/s")) },
      { name: `volume of type disk (${accelerator})${suffix}`, once: () => inside(work("/d")) },
    ],
    runs,
  );
  const name = how === undefined ? scene : `${scene}-${how.split(" ")[0]}`;
  await report(`storage-${name}`, { environment, unit: "ms", ...comparison });
}

/** What was measured, over what was asked for. */
async function limits(): Promise<void> {
  const { bps, iops, cpus, pids, memory, disk } = ASKED;
  const blocks = (iops * SECONDS) / 2;
  const mebibytes = (bps * SECONDS) / MIB;
  const move = (words: string) => timed(`dd ${words} 2> /dev/null`);
  const rate = (output: string, amount: number) => amount / (milliseconds(output) / 1000);
  const prepare = `tr '\\0' x < /dev/zero | dd of=/f bs=1M count=${mebibytes} iflag=fullblock 2> /dev/null; sync`;
  const arm = (flag: string, script: string, over: (output: string) => number): Arm => ({
    name: `--${flag}, measured over asked (${accelerator})`,
    once: async () => {
      const [option = "", value = ""] = flag.split(" ");
      const words = ["run", "--rm", "--network", "none", `--${option}`, value];
      return over((await dvm(...words, "workloads", "sh", "-c", script)).stdout);
    },
  });
  const busy = `timeout ${SECONDS} sh -c 'while :; do :; done'`;
  // the two at once, by the shell itself: what programs use in between would count without their time
  const used =
    "{ read up rest </proc/uptime; read name usage </sys/fs/cgroup/cpu.stat; echo $up $usage; }";
  const many = `(for i in $(seq ${2 * pids}); do sleep 2 & done) 2> /dev/null`;
  const arms = [
    arm(
      `device-write-bps /dev/sda:${bps}`,
      move(`if=/dev/zero of=/g oflag=direct bs=1M count=${mebibytes}`),
      (output) => rate(output, mebibytes * MIB) / bps,
    ),
    arm(
      `device-read-bps /dev/sda:${bps}`,
      `${prepare}; ${move(`if=/f of=/dev/null iflag=direct bs=1M count=${mebibytes}`)}`,
      (output) => rate(output, mebibytes * MIB) / bps,
    ),
    arm(
      `device-write-iops /dev/sda:${iops}`,
      move(`if=/dev/zero of=/g oflag=direct bs=4k count=${blocks}`),
      (output) => rate(output, blocks) / iops,
    ),
    arm(
      `device-read-iops /dev/sda:${iops}`,
      `${prepare}; ${move(`if=/f of=/dev/null iflag=direct bs=4k count=${blocks}`)}`,
      (output) => rate(output, blocks) / iops,
    ),
    arm(`cpus ${cpus}`, `${used}; ${busy}; ${used}`, (output) => {
      const [from = [], to = []] = output.split("\n").map((line) => line.split(" ").map(Number));
      const [seconds = 0, microseconds = 0] = to.map((value, index) => value - (from[index] ?? 0));
      return microseconds / 1e6 / seconds / cpus;
    }),
    arm(
      `memory ${memory}m`,
      "tail /dev/zero; cat /sys/fs/cgroup/memory.peak",
      (output) => Number(output) / MIB / memory,
    ),
    arm(
      `pids-limit ${pids}`,
      `${many}; cat /sys/fs/cgroup/pids.peak`,
      (output) => Number(output) / pids,
    ),
    arm(
      `storage-opt size=${disk}m`,
      "dd if=/dev/zero of=/g bs=1M 2> /dev/null; df -k / | awk 'NR==2 { print $3 }'",
      (output) => Number(output) / 1024 / disk,
    ),
  ];
  const comparison = await interleave(arms, runs);
  // they have nothing to do with one another
  await report("storage-limits", { environment, unit: "", ...comparison, ratios: [] });
}

/** Files of some lines, in a repository with one commit. */
async function makeFiles(): Promise<void> {
  await mkdir(join(share, "tree"), { recursive: true });
  await writeFile(join(share, "file"), Buffer.alloc(FILE_MIB * MIB, "the quick brown fox "));
  for (let each = 0; each < TREE_FOLDERS; each++) {
    const path = join(share, "tree", `${each}`);
    await mkdir(path);
    for (let file = 0; file < FILES_A_FOLDER; file++)
      await writeFile(join(path, `${file}`), "text\n");
  }
  const git = (...words: string[]) => runCommand("git", ["-C", join(share, "tree"), ...words]);
  await git("init", "-q");
  await git("add", ".");
  await git("-c", "user.name=bench", "-c", "user.email=bench", "commit", "-qm", "all");
}

/** What runs the guests' instructions: figures with TCG say nothing of a host with KVM. */
async function acceleratorOfQemu(): Promise<string> {
  const probe = await probeHost({ cacheDirectory: folder });
  return chooseBackend({ vmm: "qemu", accel: "auto" }, probe).choice.accelerator;
}

function dvm(...words: string[]) {
  if (daemon === undefined) throw new TypeError("no daemon");
  const { command, args } = daemon.dvm(...words);
  return runCommand(command, args);
}

async function inside(work: string): Promise<number> {
  const { stdout } = await dvm("exec", "held", "sh", "-c", timed(work));
  return milliseconds(stdout);
}

/** Without its caches dropped: a guest's reads meet the host's cache too. */
async function onHost(work: string): Promise<number> {
  const { stdout } = await runCommand("sh", ["-c", timed(work.replace(`${DROP}; `, ""))]);
  return milliseconds(stdout);
}

function timed(work: string): string {
  const now = "date +%s%N";
  return `${work.startsWith(DROP) ? `${DROP}; ` : ""}a=$(${now}); ${work.replace(`${DROP}; `, "")}; b=$(${now}); echo "$a $b"`;
}

function milliseconds(output: string): number {
  const [from = Number.NaN, to = Number.NaN] = (output.trim().split("\n").at(-1) ?? "")
    .split(" ")
    .map(Number);
  return (to - from) / 1e6;
}
