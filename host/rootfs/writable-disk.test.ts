import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeWritableDisk, parseDiskSize } from "./writable-disk.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-writable-"));
after(() => rmSync(folder, { recursive: true }));
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

test("a writable disk has its size, is nearly empty on the host, and e2fsck finds it clean", async () => {
  for (const [name, bytes] of [
    ["small", 16 * 2 ** 20],
    ["usual", 10 * 2 ** 30],
    ["odd", 700 * 2 ** 20 + 1],
  ] as const) {
    const path = join(folder, name);
    await makeWritableDisk({ path, bytes });
    assert.equal(statSync(path).size, Math.ceil(bytes / 4096) * 4096);
    assert.ok(
      statSync(path).blocks * 512 < 2 * 2 ** 20,
      `${name} takes ${statSync(path).blocks} sectors`,
    );
    execFileSync("e2fsck", ["-f", "-n", path], { env: environment, stdio: "ignore" });
  }
});

test("a writable disk belongs to its maker alone and its inode tables need no zeroing by the guest", async () => {
  const groupsOf = async (name: string, bytes: number) => {
    const path = join(folder, name);
    await makeWritableDisk({ path, bytes });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const { stdout } = spawnSync("dumpe2fs", [path], { env: environment, encoding: "utf8" });
    rmSync(path);
    return stdout.split("\n").filter((line) => /^Group \d+:/.test(line));
  };
  const usual = await groupsOf("private", 2 ** 30);
  assert.equal(usual.length, 8);
  assert.ok(!usual.some((line) => line.includes("UNINIT")), usual.join("\n"));
  const large = await groupsOf("large", 64 * 2 ** 30);
  assert.equal(large.length, 512);
  assert.ok(large.every((line) => line.includes("ITABLE_ZEROED")));
  assert.ok(large.filter((line) => line.includes("BLOCK_UNINIT")).length > 400);
});

test("a disk has a journal unless it goes with its VM", async () => {
  const hasJournal = async (name: string, journal?: boolean) => {
    const path = join(folder, name);
    await makeWritableDisk({ path, bytes: 2 ** 30, ...(journal === undefined ? {} : { journal }) });
    const { stdout } = spawnSync("dumpe2fs", ["-h", path], { env: environment, encoding: "utf8" });
    return /^Filesystem features:.*has_journal/m.test(stdout);
  };
  assert.deepEqual(
    [await hasJournal("kept"), await hasJournal("disposable", false)],
    [true, false],
  );
});

test("a disk made from a template is the one that mkfs made, block for block, and takes no mkfs", async () => {
  const templates = join(folder, "templates");
  const made = async (name: string, journal: boolean) => {
    const path = join(folder, name);
    await makeWritableDisk({ path, bytes: 64 * 2 ** 20, journal, templates });
    return path;
  };
  const first = await made("first", true);
  assert.equal((await readdir(templates)).length, 1);
  const saved = process.env.PATH;
  process.env.PATH = join(folder, "no-programs");
  try {
    const second = await made("second", true);
    execFileSync("/usr/bin/cmp", [first, second]);
    assert.ok(statSync(second).blocks * 512 < 2 * 2 ** 20);
  } finally {
    process.env.PATH = saved;
  }
  const third = await made("third", false);
  assert.equal((await readdir(templates)).length, 2);
  execFileSync("e2fsck", ["-f", "-n", third], { env: environment, stdio: "ignore" });
});

test("a template in pieces is made anew", async () => {
  const templates = join(folder, "broken-templates");
  const disk = { bytes: 64 * 2 ** 20, templates };
  await makeWritableDisk({ ...disk, path: join(folder, "before") });
  const [name = ""] = await readdir(templates);
  truncateSync(join(templates, name), statSync(join(templates, name)).size - 4096);
  const path = join(folder, "after");
  await makeWritableDisk({ ...disk, path });
  execFileSync("e2fsck", ["-f", "-n", path], { env: environment, stdio: "ignore" });
});

test("refuses to overwrite a file", async () => {
  const path = join(folder, "taken");
  writeFileSync(path, "mine");
  await assert.rejects(makeWritableDisk({ path, bytes: 2 ** 30 }), { code: "ROOTFS_WRITE_FAILED" });
  assert.equal(statSync(path).size, 4);
});

test("an mkfs.ext4 that fails is named with the mend and leaves no file", async () => {
  const path = join(folder, "unformatted");
  const saved = process.env.PATH;
  process.env.PATH = join(folder, "broken");
  try {
    mkdirSync(join(folder, "broken"));
    writeFileSync(join(folder, "broken/mkfs.ext4"), "#!/bin/false\n", { mode: 0o755 });
    await assert.rejects(makeWritableDisk({ path, bytes: 2 ** 30 }), {
      code: "DISK_FORMAT_FAILED",
      hint: /e2fsprogs/,
    });
  } finally {
    process.env.PATH = saved;
  }
  assert.ok(!existsSync(path));
});

test("refuses sizes that no container could use", async () => {
  for (const bytes of [0, -1, 4096, 2 ** 60, Number.NaN]) {
    await assert.rejects(makeWritableDisk({ path: join(folder, "no"), bytes }), {
      code: "DISK_BAD_SIZE",
    });
  }
});

test("parses sizes as Docker does", () => {
  assert.equal(parseDiskSize("10G"), 10 * 2 ** 30);
  assert.equal(parseDiskSize("1.5g"), 1.5 * 2 ** 30);
  assert.equal(parseDiskSize("512 MiB"), 512 * 2 ** 20);
  assert.equal(parseDiskSize("64kb"), 65536);
  assert.equal(parseDiskSize("123"), 123);
  assert.equal(parseDiskSize("7b"), 7);
  assert.equal(parseDiskSize("2T"), 2 * 2 ** 40);
});

test("refuses what is no size", () => {
  for (const text of ["", "G", "-1G", "10X", "1 0G", "1e3", "10GG", "99999999P", "0x10"]) {
    assert.throws(() => parseDiskSize(text), { code: "DISK_BAD_SIZE" }, text);
  }
});
