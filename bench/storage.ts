/**
 * What a container's storage is good at: a shared folder, a volume that is a disk and the writable layer beside the
 * host's own file system, the first write of a byte to a large file of the image, and limits beside what was asked.
 * Times are taken where the work is done, by /proc/uptime, so that no start and no client is in them.
 *
 * usage: node bench/storage.ts [RUNS]
 */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeEnvironment } from "./environment.ts";
import { runCommand } from "./measure/command.ts";
import { type Arm, interleave } from "./measure/interleave.ts";
import { DVM } from "./paths.ts";
import { report } from "./report.ts";

const FILE_MIB = 256;
const TREE_FOLDERS = 200;
const FILES_A_FOLDER = 100;
/** What is asked for in the limits' runs, in `bytes per second`. */
const LIMIT = 8 * 1024 ** 2;
const LIMITED_MIB = 64;

/** A file to read that is no hole. */
const PREPARE = `tr '\\0' x < /dev/zero | dd of=/f bs=1M count=${LIMITED_MIB} iflag=fullblock 2> /dev/null; sync`;
/** Nothing of what is read is in the cache of whoever reads; the host keeps its own below a guest's. */
const DROP = "sync; echo 3 > /proc/sys/vm/drop_caches";
const IDLE = ["busybox", "sh", "-c", "while :; do sleep 1000; done"];

const runs = Number(process.argv[2] ?? 5);
const folder = await mkdtemp(join(tmpdir(), "dvm-bench-storage-"));
const share = join(folder, "share");
process.env.DVM_DATA_ROOT = join(folder, "data");
const environment = await describeEnvironment();
try {
  await makeFiles();
  await dvm("volume", "create", "-o", "type=disk", "-o", "size=2g", "disk");
  const mounts = ["-v", `${share}:/s`, "-v", "disk:/d"];
  await dvm(
    ...["run", "-d", "--name", "held", "--privileged", "--network", "none", ...mounts],
    ...IDLE,
  );
  await inside("cp -r /s/. /d/");
  await compare("storage-read", (path) => `${DROP}; cat ${path}/file > /dev/null`);
  await compare("storage-tree", (path) => `${DROP}; ls -lR ${path}/tree > /dev/null`);
  await compare("storage-create", (path) => {
    const one = `mkdir ${path}/new; for i in $(seq 500); do echo x > ${path}/new/$i; done`;
    return `${one}; rm -r ${path}/new`;
  });
  await dvm("rm", "-f", "held");
  await firstWrite();
  await limits();
} finally {
  await runCommand(DVM, ["rm", "-f", "held"]).catch(() => {});
  await rm(folder, { recursive: true, force: true });
}

/** The same work on the host, on a shared folder, and on a disk of the container's own. */
async function compare(name: string, work: (path: string) => string): Promise<void> {
  const comparison = await interleave(
    [
      { name: "host", once: () => onHost(work(share)) },
      { name: "shared folder", once: () => inside(work("/s")) },
      { name: "volume of type disk", once: () => inside(work("/d")) },
    ],
    runs,
  );
  await report(name, { environment, unit: "ms", ...comparison });
}

/** overlayfs copies the whole file up before its first byte is written. */
async function firstWrite(): Promise<void> {
  await runCommand("tar", ["-C", share, "-cf", join(folder, "image.tar"), "file", "busybox"]);
  await dvm("import", join(folder, "image.tar"), "large");
  const write = "echo x | /busybox dd of=/file bs=1 count=1 conv=notrunc 2> /dev/null";
  const script = timed(write).replaceAll(/\b(cut|awk) /g, "/busybox $1 ");
  const once = async () => {
    const { stdout } = await dvm(
      "run",
      "--rm",
      "--network",
      "none",
      "large",
      "/busybox",
      "sh",
      "-c",
      script,
    );
    return milliseconds(stdout);
  };
  const arms: Arm[] = [{ name: `overlay: first byte into ${FILE_MIB} MiB of the image`, once }];
  await report("storage-first-write", {
    environment,
    unit: "ms",
    ...(await interleave(arms, runs)),
  });
}

/** The rate that was measured, over the one that was asked for. */
async function limits(): Promise<void> {
  const arm = (flag: string, work: string): Arm => ({
    name: `${flag}, measured over asked`,
    once: async () => {
      const words = [
        "run",
        "--rm",
        "--network",
        "none",
        `--${flag}`,
        `/dev/sda:${LIMIT}`,
        "busybox",
      ];
      const { stdout } = await dvm(...words, "sh", "-c", `${PREPARE}; ${timed(work)}`);
      return (LIMITED_MIB * 1024 ** 2) / (milliseconds(stdout) / 1000) / LIMIT;
    },
  });
  const copy = (to: string) => `dd ${to} bs=1M count=${LIMITED_MIB} 2> /dev/null`;
  const comparison = await interleave(
    [
      arm("device-write-bps", copy("if=/dev/zero of=/g oflag=direct")),
      arm("device-read-bps", copy("if=/f of=/dev/null iflag=direct")),
    ],
    runs,
  );
  await report("storage-limits", { environment, unit: "", ...comparison });
}

async function makeFiles(): Promise<void> {
  await mkdir(join(share, "tree"), { recursive: true });
  const block = Buffer.alloc(FILE_MIB * 1024 ** 2, "the quick brown fox ");
  await writeFile(join(share, "file"), block);
  await runCommand("cp", ["/bin/busybox", join(share, "busybox")]);
  for (let each = 0; each < TREE_FOLDERS; each++) {
    const path = join(share, "tree", `${each}`);
    await mkdir(path);
    for (let file = 0; file < FILES_A_FOLDER; file++)
      await writeFile(join(path, `${file}`), "text\n");
  }
}

function dvm(...words: string[]) {
  return runCommand(DVM, words);
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
  const now = "cut -d' ' -f1 /proc/uptime";
  return `${work.startsWith(DROP) ? `${DROP}; ` : ""}a=$(${now}); ${work.replace(`${DROP}; `, "")}; b=$(${now}); echo "$a $b"`;
}

function milliseconds(output: string): number {
  const [from = Number.NaN, to = Number.NaN] = (output.trim().split("\n").at(-1) ?? "")
    .split(" ")
    .map(Number);
  return Math.max(to - from, 0.005) * 1000;
}
