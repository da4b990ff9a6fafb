import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TestUser } from "../test-dvm.ts";
import { mountReflinking, unmountReflinking, whyNoReflink } from "./test-reflinking.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

const PLACES = ["/m/folder", "/m/volume", "/m/disk", "/root"];
/** Records of each place before the machine is killed. */
const RECORDS = 12;

/**
 * At the first start: writes a record after the other to every place, tells of each that has been synced, while others
 * write without. At the second: says how many are there, one after the other, and whole.
 */
const SCRIPT = `
places="${PLACES.join(" ")}"
if [ -e /root/1 ]; then
  for place in $places; do
    n=0
    while [ -e $place/$((n + 1)) ] && [ "$(tr -d ' ' <$place/$((n + 1)))" = $((n + 1)) ]; do n=$((n + 1)); done
    echo $place $n
  done
  exit
fi
for place in $places; do
  while :; do dd if=/dev/zero of=$place/noise bs=64k count=32; mv $place/noise $place/old; done 2>/dev/null &
done
n=0
while :; do
  n=$((n + 1))
  for place in $places; do
    printf %4096d $n | dd of=$place/$n bs=4096 iflag=fullblock conv=fsync 2>/dev/null && echo $place $n
  done
done`;

function counts(output: string): Map<string, number> {
  const lines = output.trim().split("\n");
  return new Map(lines.map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]));
}

/** Kills the machine of a container with this root while it writes, and starts it again. */
function cut(user: TestUser, name: string, root: () => Promise<readonly string[]>): void {
  let [synced, found]: Map<string, number>[] = [];

  before(async () => {
    const folder = join(user.folder, `folder-${name}`);
    mkdirSync(folder);
    await user.dvm(["volume", "create", "-o", "type=disk", "-o", "size=64m", `disk-${name}`]);
    const mounts = [`${folder}:/m/folder`, `volume-${name}:/m/volume`, `disk-${name}:/m/disk`];
    const words = ["run", "--name", name, "--network", "none"];
    const flags = mounts.flatMap((each) => ["-v", each]);
    const call = user.start([...words, ...flags, ...(await root()), "sh", "-c", SCRIPT]);
    await call.says(`/root ${RECORDS}\n`);
    const { out: pid } = await user.dvm(["inspect", "-f", "{{.State.Pid}}", name]);
    process.kill(Number(pid), "SIGKILL");
    synced = counts((await call.result).out);
    const { out, err } = await user.dvm(["start", "-a", name]);
    assert.equal(err, "");
    found = counts(out);
  });

  for (const place of PLACES) {
    it(`has in ${place} what was synced, and whole`, () => {
      const [told = Number.NaN, there = Number.NaN] = [synced?.get(place), found?.get(place)];
      assert.ok(told >= RECORDS && there >= told, `${there} of ${told}`);
    });
  }
}

for (const driver of ["overlay", "block"]) {
  describe(`a machine with a root by the ${driver} driver that is killed while it writes`, () => {
    cut(user, driver, async () => ["--storage-opt", `driver=${driver}`, "busybox"]);
  });
}

describe("a machine with a folder of the host as root that is killed while it writes", () => {
  cut(user, "folder", async () => {
    const folder = join(user.folder, "root");
    mkdirSync(folder);
    await user.dvm(["create", "--name", "source", "--network", "none", "busybox", "true"]);
    await user.shell(`"$DVM" export source | tar -x -C ${folder}`);
    return ["--rootfs", folder];
  });
});

describe("a machine with a root by the reflink driver that is killed while it writes", {
  skip: whyNoReflink,
}, () => {
  const reflinking = new TestUser();
  before(() => mountReflinking(reflinking));
  after(() => {
    unmountReflinking(reflinking);
    reflinking[Symbol.dispose]();
  });
  cut(reflinking, "reflink", async () => ["--storage-opt", "driver=reflink", "busybox"]);
  it("leaves disks in which e2fsck finds nothing wrong", () => {
    // the volume, and the container's own
    assert.ok(checkDisks(reflinking.dataRoot).length >= 2);
  });
});

it("leaves disks in which e2fsck and qemu-img find nothing wrong", () => {
  const checks = checkDisks(user.dataRoot);
  // three volumes, and of each driver the container's own disk
  assert.ok(checks.filter((program) => program === "e2fsck").length >= 4, `${checks}`);
  assert.ok(checks.includes("qemu-img"), `${checks}`);
});

/** @returns the programs that have checked one disk each, and found nothing */
function checkDisks(folder: string): string[] {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).flatMap((name) => {
    const check = checkOf(join(folder, name));
    if (check === undefined) return [];
    const [program, ...words] = [...check, join(folder, name)];
    execFileSync(program, words, { env, stdio: "pipe" });
    return program;
  });
}

/** What checks the disk in a file, which both formats know by a magic number. */
function checkOf(path: string): [string, ...string[]] | undefined {
  if (!statSync(path).isFile()) return undefined;
  const bytes = Buffer.alloc(2048);
  const file = openSync(path, "r");
  readSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
  // s_magic of struct ext4_super_block (fs/ext4/ext4.h), which begins at 1024
  if (bytes.readUInt16LE(1024 + 0x38) === 0xef53) return ["e2fsck", "-fn"];
  // docs/interop/qcow2.txt of QEMU
  return bytes.readUInt32BE(0) === 0x514649fb ? ["qemu-img", "check", "-q"] : undefined;
}
