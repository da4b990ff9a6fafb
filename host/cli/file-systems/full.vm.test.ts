import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, it } from "node:test";
import { TestUser } from "../test-dvm.ts";

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
