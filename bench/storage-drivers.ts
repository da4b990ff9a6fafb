/**
 * The storage drivers side by side, each on what it is good and bad at. All of them work on one file system, made here: an
 * xfs, which shares extents. `reflink` is what QEMU's own block device with an ext4 on it is.
 * Times are taken in the guest, by /proc/uptime, unless said otherwise; the machine boots before the clock starts.
 *
 * usage: node bench/storage-drivers.ts [RUNS [SCENE...]]      as root, with xfsprogs; scenes are space and those below
 */

import { copyFile, mkdir, mkdtemp, readdir, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openOwnDaemon } from "./engine/own-daemon.ts";
import { describeEnvironment } from "./environment.ts";
import { deepImage } from "./image-scenes/deep-image.ts";
import { type CommandResult, runCommand } from "./measure/command.ts";
import { interleave } from "./measure/interleave.ts";
import { report } from "./report.ts";

const DRIVERS = ["overlay", "block", "reflink", "virtiofs"] as const;
type Driver = (typeof DRIVERS)[number];

const LARGE_MIB = 1024;
const SMALL_FILES = 1000;
/** A file system frees what was removed a moment later; what the daemon writes meanwhile is less than this, in `bytes`. */
const FREED = 64 * 1024 ** 2;
const LAYERS = 60;
const FILES_A_LAYER = 50;

const runs = Number(process.argv[2] ?? 3);
const chosen = process.argv.slice(3);
const isChosen = (scene: string) => chosen.length === 0 || chosen.includes(scene);
const environment = await describeEnvironment();
const folder = await mkdtemp(join(tmpdir(), "dvm-bench-"));
const data = join(folder, "data");
process.env.DVM_POOL = "0";
try {
  await mountXfs();
  await using daemon = await openOwnDaemon(folder);
  const dvm = (...words: string[]) => {
    const { command, args } = daemon.dvm(...words);
    return runCommand(command, args);
  };
  await makeLargeImage(dvm);
  await unpack(dvm, "large");
  if (isChosen("space")) await compareSpace(dvm);
  const compare = async (name: string, image: string, work: string) => {
    if (isChosen(name)) await compareTimes(dvm, { name, image, work });
  };
  await compare("first-write", "large", "echo x | dd of=/file bs=1 count=1 conv=notrunc,fsync");
  await dvm("load", "-i", await deepImage(folder, { layers: LAYERS, files: FILES_A_LAYER }));
  for (const image of ["deep", "debian"]) await unpack(dvm, image);
  const loop = `for i in $(seq ${SMALL_FILES}); do echo x > /new/$i; done; sync`;
  await compare("small-files", "deep", `mkdir /new; ${loop}`);
  await compare("deep-tree", "deep", "ls -lR /layers");
  await compare("debian-tree", "debian", "ls -lR /usr /etc /var /bin /lib");
  await compare("debian-read", "debian", "find /usr /etc /var -type f -exec cat {} +");
} finally {
  await runCommand("umount", [data]).catch(() => {});
  await rm(folder, { recursive: true, force: true });
}

type Dvm = (...words: string[]) => Promise<CommandResult>;

async function mountXfs(): Promise<void> {
  const disk = join(folder, "xfs");
  await mkdir(data);
  await runCommand("truncate", ["-s", "24G", disk]);
  await runCommand("mkfs.xfs", ["-q", "-m", "reflink=1", disk]);
  await runCommand("mount", ["-o", "loop", disk, data]);
}

/** A file to write to that is no hole. */
async function makeLargeImage(dvm: Dvm): Promise<void> {
  const content = join(folder, "content");
  await mkdir(content);
  const block = Buffer.alloc(LARGE_MIB * 1024 ** 2, "the quick brown fox ");
  await writeFile(join(content, "file"), block);
  await mkdir(join(content, "bin"));
  await copyFile("/bin/busybox", join(content, "bin/busybox"));
  const shell = "cd bin && for name in sh dd cut sync echo; do ln busybox $name; done";
  await runCommand("sh", ["-c", `cd ${content} && ${shell}`]);
  await runCommand("tar", ["-C", content, "-cf", join(folder, "large.tar"), "."]);
  await rm(content, { recursive: true });
  await dvm("import", join(folder, "large.tar"), "large");
}

/** For the driver that takes a folder: on the same file system as the rest. */
async function unpack(dvm: Dvm, image: string): Promise<void> {
  const { stdout } = await dvm("create", "--network", "none", image, "true");
  const id = stdout.trim();
  const tar = join(folder, "unpacked.tar");
  await dvm("export", "-o", tar, id);
  await dvm("rm", id);
  await mkdir(unpacked(image), { recursive: true });
  await runCommand("tar", ["-x", "-C", unpacked(image), "-f", tar]);
  await rm(tar);
}

function unpacked(image: string): string {
  return join(data, "unpacked", image);
}

/** What is written is taken away again, or is the same each time. */
async function compareTimes(
  dvm: Dvm,
  { name, image, work }: { readonly name: string; readonly image: string; readonly work: string },
): Promise<void> {
  const now = "cut -d' ' -f1 /proc/uptime";
  const script = `a=$(${now}); { ${work}; } > /dev/null 2>&1; b=$(${now}); echo "$a $b"`;
  const comparison = await interleave(
    DRIVERS.map((driver) => ({
      name: driver,
      once: async () => {
        await rm(join(unpacked(image), "new"), { recursive: true, force: true });
        const words = ["run", "--rm", "--network", "none", ...root(driver, image)];
        return milliseconds((await dvm(...words, "sh", "-c", script)).stdout);
      },
    })),
    runs,
  );
  await report(`storage-drivers-${name}`, { environment, unit: "ms", ...comparison });
}

function root(driver: Driver, image: string): string[] {
  if (driver === "virtiofs") return ["--rootfs", unpacked(image)];
  return ["--storage-opt", `driver=${driver}`, image];
}

/** What the file system has less of: by a driver's first container of an image, by one more, and by its first byte. */
async function compareSpace(dvm: Dvm): Promise<void> {
  const found = { first: [] as number[], further: [] as number[], written: [] as number[] };
  const times = { first: [] as number[], further: [] as number[] };
  for (const driver of DRIVERS) {
    const words = ["create", "--network", "none", ...root(driver, "large")];
    const byte = ["dd", "of=/file", "bs=1", "count=1", "conv=notrunc", "if=/bin/busybox"];
    const start = await freeSpace();
    const isFreed = async () => start - (await freeSpace()) < FREED;
    const { milliseconds: first } = await dvm(...words, ...byte);
    const made = await freeSpace();
    const { stdout, milliseconds: further } = await dvm(...words, ...byte);
    const after = await freeSpace();
    await dvm("start", "-a", stdout.trim());
    found.first.push(start - made);
    found.further.push(made - after);
    found.written.push(after - (await freeSpace()));
    times.first.push(first);
    times.further.push(further);
    await dvm("container", "prune", "-f");
    // the next driver shall not find it
    const disks = join(data, "root-disks");
    for (const name of await readdir(disks)) {
      if (name.endsWith(".ext4")) await rm(join(disks, name));
    }
    while (!(await isFreed())) await setTimeout(100);
  }
  const show = async (name: string, unit: string, values: readonly number[]) => {
    const arms = DRIVERS.map((driver, index) => ({
      name: driver,
      once: async () => values[index] ?? Number.NaN,
    }));
    await report(`storage-drivers-${name}`, { environment, unit, ...(await interleave(arms, 1)) });
  };
  const mebibytes = (bytes: readonly number[]) => bytes.map((each) => each / 2 ** 20);
  await show("create-first", "ms", times.first);
  await show("create-further", "ms", times.further);
  await show("space-first", "MiB", mebibytes(found.first));
  await show("space-further", "MiB", mebibytes(found.further));
  await show("space-first-write", "MiB", mebibytes(found.written));
}

async function freeSpace(): Promise<number> {
  await runCommand("sync", ["-f", data]);
  const { bfree, bsize } = await statfs(data);
  return bfree * bsize;
}

function milliseconds(output: string): number {
  const [from = Number.NaN, to = Number.NaN] = (output.trim().split("\n").at(-1) ?? "")
    .split(" ")
    .map(Number);
  return Math.max(to - from, 0.005) * 1000;
}
