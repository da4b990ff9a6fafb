import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { link } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ContainerConfig, StorageDriver } from "../container-config.ts";
import type { PreparedImage } from "../engine-parts.ts";
import { containerDisk, diskSource, diskUsage } from "./container-disk.ts";
import { makeFlatStorage } from "./make-storage.ts";
import { checkReflink } from "./reflink.ts";
import { prepareFolder } from "./rootfs-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-storage-"));
const mounted: string[] = [];
after(() => {
  for (const at of mounted) execFileSync("umount", [at]);
  rmSync(folder, { recursive: true });
});
const MIB = 2 ** 20;

/** An image whose disk is there. */
async function imageAt(place: string): Promise<PreparedImage> {
  const shared = join(place, "shared");
  writeFileSync(shared, Buffer.alloc(4 * MIB, "s"), { mode: 0o400 });
  const none = await prepareFolder(place, undefined);
  return { ...none, linkFlatDisk: (path) => link(shared, path) };
}

async function diskOf(place: string, storageDriver: StorageDriver): Promise<string> {
  const container = join(place, storageDriver);
  mkdirSync(container);
  // of a configuration nothing else counts here
  const config = { storageDriver } as ContainerConfig;
  const path = containerDisk(container, config) ?? "";
  const image = await imageAt(place);
  await makeFlatStorage({ config, image, path, bytes: 4 * MIB, templates: place });
  return path;
}

test("a block disk is an empty file above the image's disk, which it names and keeps", async () => {
  const path = await diskOf(folder, "block");
  const source = diskSource(path);
  assert.ok(source.kind === "file" && source.backing !== undefined);
  assert.equal(source.format, "qcow2");
  assert.equal(statSync(source.backing).ino, statSync(join(folder, "shared")).ino);
  rmSync(join(folder, "shared"));
  assert.equal(readFileSync(source.backing)[0], "s".charCodeAt(0));
  assert.ok(statSync(path).blocks * 512 < 64 * 1024);
});

test("a reflink disk is refused where nothing is shared, before anything is made", async (context) => {
  const place = join(folder, "plain");
  mkdirSync(place);
  if (
    await checkReflink(place).then(
      () => true,
      () => false,
    )
  ) {
    context.skip("this file system shares extents");
    return;
  }
  await assert.rejects(diskOf(place, "reflink"), {
    code: "STORAGE_UNSUPPORTED",
    message: /is on /,
    hint: /btrfs, xfs/,
  });
  assert.deepEqual(existsSync(join(place, "reflink/base.img")), false);
});

for (const type of ["xfs", "btrfs"]) {
  test(`a reflink disk on ${type} is a copy that takes no room until it is written`, async (context) => {
    const at = mountOf(type);
    if (at === undefined) {
      context.skip(`no ${type} can be mounted here`);
      return;
    }
    const path = await diskOf(at, "reflink");
    const config = { storageDriver: "reflink" } as ContainerConfig;
    assert.equal(diskSource(path).kind === "file" && statSync(path).mode & 0o777, 0o600);
    execFileSync("sync", ["-f", path]);
    assert.equal(await diskUsage(path, config), 0);
    execFileSync("dd", [
      "if=/dev/zero",
      `of=${path}`,
      "bs=4096",
      "count=1",
      "seek=5",
      "conv=notrunc,fsync",
      "status=none",
    ]);
    const used = await diskUsage(path, config);
    assert.ok(used > 0 && used <= MIB, `${used}`);
    assert.equal(readFileSync(join(at, "shared"))[5 * 4096], "s".charCodeAt(0));
    assert.ok(!existsSync(join(at, "reflink/base.img")));
  });
}

/** Undefined where that takes root, a program or a driver that is not here. */
function mountOf(type: string): string | undefined {
  const disk = join(folder, `${type}.img`);
  const at = join(folder, type);
  mkdirSync(at);
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  try {
    execFileSync("truncate", ["-s", "400M", disk]);
    execFileSync(`mkfs.${type}`, ["-q", disk], { env, stdio: "pipe" });
    execFileSync("mount", ["-o", "loop", disk, at], { env, stdio: "pipe" });
  } catch {
    return undefined;
  }
  mounted.push(at);
  return at;
}

test("a folder as root is one that is there, and the daemon's user's own to give", async () => {
  const given = await prepareFolder(folder, undefined);
  assert.deepEqual([given.name, given.extents], [folder, []]);
  writeFileSync(join(folder, "file"), "");
  for (const path of ["relative", join(folder, "none"), join(folder, "file")]) {
    await assert.rejects(prepareFolder(path, undefined), { code: "STORAGE_INVALID" });
  }
  const stranger = (process.getuid?.() ?? 0) + 1;
  await assert.rejects(prepareFolder(folder, stranger), { message: /not for others/ });
});
