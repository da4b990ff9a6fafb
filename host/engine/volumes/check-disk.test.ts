import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkVolumeDisk } from "./check-disk.ts";

const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

describe("the disk of a volume, before it is used again", () => {
  let folder: string;
  let disk: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "dvm-disk-"));
    disk = join(folder, "disk");
  });
  after(() => rmSync(folder, { recursive: true }));

  function makeDisk(): void {
    writeFileSync(disk, "");
    truncateSync(disk, 8 * 1024 ** 2);
    execFileSync("mkfs.ext4", ["-q", "-F", disk], { env });
  }

  /** As a kernel notes in the superblock that it has met errors. */
  function noteErrors(): void {
    execFileSync("debugfs", ["-w", "-R", "set_super_value state 2", disk], {
      env,
      stdio: "ignore",
    });
  }

  function write(offset: number, bytes: Uint8Array): void {
    const fd = openSync(disk, "r+");
    writeSync(fd, bytes, 0, bytes.length, offset);
    closeSync(fd);
  }

  it("is mended where that is safe, and clean afterwards", async () => {
    makeDisk();
    noteErrors();
    await checkVolumeDisk(disk, "data");
    const state = execFileSync("dumpe2fs", ["-h", disk], {
      env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    assert.match(state.toString(), /^Filesystem state: +clean$/m);
  });

  it("is refused where somebody has to decide", async () => {
    makeDisk();
    noteErrors();
    // its root folder's inode is no folder any more, and the block bitmaps are lost
    write(64 * 1024, Buffer.alloc(2 * 1024 ** 2, 0xa5));
    await assert.rejects(
      checkVolumeDisk(disk, "data"),
      (error: Error & { code?: string; hint?: string }) => {
        assert.equal(error.code, "VOLUME_DAMAGED");
        assert.match(error.message, /^the disk of volume data is damaged: .+/);
        assert.match(error.hint ?? "", /^e2fsck -f /);
        return true;
      },
    );
  });
});
