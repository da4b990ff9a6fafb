import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TestUser } from "../test-dvm.ts";

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

for (const driver of ["overlay", "block"]) {
  describe(`a machine with a root by the ${driver} driver that is killed while it writes`, () => {
    let [synced, found]: Map<string, number>[] = [];

    before(async () => {
      const folder = join(user.folder, `folder-${driver}`);
      mkdirSync(folder);
      await user.dvm(["volume", "create", "-o", "type=disk", "-o", "size=64m", `disk-${driver}`]);
      const mounts = [
        `${folder}:/m/folder`,
        `volume-${driver}:/m/volume`,
        `disk-${driver}:/m/disk`,
      ];
      const flags = ["--network", "none", "--storage-opt", `driver=${driver}`];
      const words = ["run", "--name", driver, ...flags, ...mounts.flatMap((each) => ["-v", each])];
      const call = user.start([...words, "busybox", "sh", "-c", SCRIPT]);
      await call.says(`/root ${RECORDS}\n`);
      const { out: pid } = await user.dvm(["inspect", "-f", "{{.State.Pid}}", driver]);
      process.kill(Number(pid), "SIGKILL");
      synced = counts((await call.result).out);
      const { out, err } = await user.dvm(["start", "-a", driver]);
      assert.equal(err, "");
      found = counts(out);
    });

    for (const place of PLACES) {
      it(`has in ${place} what was synced, and whole`, () => {
        const [told = Number.NaN, there = Number.NaN] = [synced?.get(place), found?.get(place)];
        assert.ok(told >= RECORDS && there >= told, `${there} of ${told}`);
      });
    }
  });
}

it("leaves disks in which e2fsck and qemu-img find nothing wrong", () => {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const names = readdirSync(user.dataRoot, { recursive: true, encoding: "utf8" });
  const checks = names.flatMap((name) => {
    const check = checkOf(join(user.dataRoot, name));
    if (check === undefined) return [];
    const [program, ...words] = [...check, join(user.dataRoot, name)];
    execFileSync(program, words, { env, stdio: "pipe" });
    return program;
  });
  // two volumes, and of each driver the container's own disk
  assert.ok(checks.filter((program) => program === "e2fsck").length >= 3, `${checks}`);
  assert.ok(checks.includes("qemu-img"), `${checks}`);
});

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
