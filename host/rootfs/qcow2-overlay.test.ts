import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeQcow2Overlay } from "./qcow2-overlay.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-qcow2-"));
after(() => rmSync(folder, { recursive: true }));
const skip = spawnSync("qemu-img", ["--version"]).error ? "there is no qemu-img" : false;
const MIB = 2 ** 20;

const qemuImg = (...words: string[]) => execFileSync("qemu-img", words, { encoding: "utf8" });

test("qemu-img finds it whole, with its backing file and its size", { skip }, async () => {
  for (const bytes of [16 * MIB, 10 * 2 ** 30, 2 ** 44 - 4096]) {
    const path = join(folder, `${bytes}.qcow2`);
    await makeQcow2Overlay(path, { bytes, backing: "base.img" });
    writeFileSync(join(folder, "base.img"), "", { flag: "a" });
    qemuImg("check", path);
    const info = JSON.parse(qemuImg("info", "--output=json", path));
    assert.equal(info["virtual-size"], bytes);
    assert.equal(info["backing-filename"], "base.img");
    assert.equal(info["backing-filename-format"], "raw");
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.ok(statSync(path).blocks * 512 < 64 * 1024);
  }
});

test("shows the disk below, and what is written leaves that as it was", { skip }, async () => {
  const base = join(folder, "below.img");
  const path = join(folder, "above.qcow2");
  writeFileSync(base, Buffer.alloc(2 * MIB, "b"));
  await makeQcow2Overlay(path, { bytes: 2 * MIB, backing: "below.img" });
  execFileSync("qemu-io", ["-c", "write -P 0x77 65530 100", path]);
  qemuImg("check", path);
  qemuImg("convert", "-O", "raw", path, join(folder, "whole"));
  const wanted = Buffer.alloc(2 * MIB, "b").fill(0x77, 65530, 65630);
  assert.deepEqual(readFileSync(join(folder, "whole")), wanted);
  assert.deepEqual(readFileSync(base), Buffer.alloc(2 * MIB, "b"));
});

test("refuses to overwrite a file, and leaves none where it fails", async () => {
  const path = join(folder, "taken");
  writeFileSync(path, "mine");
  const options = { bytes: MIB, backing: "b" };
  await assert.rejects(makeQcow2Overlay(path, options), { code: "ROOTFS_WRITE_FAILED" });
  assert.equal(readFileSync(path, "utf8"), "mine");
  const bad = join(folder, "bad");
  await assert.rejects(makeQcow2Overlay(bad, { ...options, backing: "n".repeat(2000) }));
  assert.ok(!existsSync(bad));
});
