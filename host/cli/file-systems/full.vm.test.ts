import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TestUser, until } from "../test-dvm.ts";

const user = new TestUser();
const isRoot = process.getuid?.() === 0;
const folder = join(user.folder, "full");
mkdirSync(folder);
// a folder of the host is as full as the host's file system is: here a small one
if (isRoot) execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "none", folder]);
after(() => {
  if (isRoot) execFileSync("umount", ["--lazy", folder]);
  user[Symbol.dispose]();
});

const PLACES = [...(isRoot ? ["/m/folder"] : []), "/m/disk", "/m/tmpfs", "/"];

/** Fills a place, looks what became of the file, and whether there is room once it is removed. */
const FILL = `
for place in ${PLACES.join(" ")}; do
  cd $place
  echo kept >kept
  echo "$place: $(dd if=/dev/zero of=big bs=1M count=100 2>&1 | grep -c 'No space left')"
  echo more 2>/dev/null >more; sync
  cat kept; rm -f big more
  dd if=/dev/zero of=small bs=1M count=1 2>/dev/null && sync && echo room
done`;

it("a place that is full says so, keeps what it has, and has room once something is removed", async () => {
  await user.dvm(["volume", "create", "-o", "type=disk", "-o", "size=16m", "disk"]);
  const mounts = ["-v", `${folder}:/m/folder`, "-v", "disk:/m/disk", "--tmpfs", "/m/tmpfs:size=4m"];
  const words = ["run", "--rm", "--network", "none", "--storage-opt", "size=32m", ...mounts];
  const { out, code } = await user.dvm([...words, "busybox", "sh", "-c", FILL]);
  const expected = PLACES.map((place) => `${place}: 1\nkept\nroom\n`).join("");
  assert.deepEqual([out, code], [expected, 0]);
});

describe("a host whose own disk is full", { skip: isRoot ? false : "a mount takes root" }, () => {
  const poor = new TestUser();
  before(() => {
    mkdirSync(poor.dataRoot);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=100m", "none", poor.dataRoot]);
  });
  after(() => {
    const { daemon } = poor;
    if (daemon !== undefined) process.kill(daemon, "SIGKILL");
    execFileSync("umount", ["--lazy", poor.dataRoot]);
    poor[Symbol.dispose]();
  });

  it("fails a container's writes, and neither its machine nor the daemon", async () => {
    const words = ["run", "-d", "--name", "greedy", "--network", "none", "busybox"];
    await poor.dvm([...words, "sleep", "1000"]);
    const fill = "dd if=/dev/zero of=/big bs=1M count=300 conv=fsync";
    const { err, code } = await poor.dvm(["exec", "greedy", "sh", "-c", fill]);
    assert.match(err, /error/i);
    assert.equal(code, 1);
    const state = ["inspect", "-f", "{{.State.Status}}", "greedy"];
    assert.equal((await poor.dvm(state)).out, "running\n");
    assert.equal((await poor.dvm(["exec", "greedy", "echo", "alive"])).out, "alive\n");
  });

  it("refuses a further container by its reason, and takes it once there is room", async () => {
    const words = ["run", "--rm", "--network", "none", "busybox", "echo", "room"];
    const refused = await poor.dvm(words);
    assert.deepEqual([refused.code, refused.out], [125, ""]);
    assert.match(refused.err, /no space left/i);
    assert.equal((await poor.dvm(["rm", "-f", "greedy"])).code, 0);
    // the kernel lets go of what a process that was killed had open a moment later
    await until("room on the host", () => {
      const { bavail, bsize } = statfsSync(poor.dataRoot);
      return bavail * bsize > 50 * 2 ** 20;
    });
    assert.equal((await poor.dvm(words)).out, "room\n");
  });
});
