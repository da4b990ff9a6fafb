import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { copyDisk } from "./copy-disk.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-copy-"));
after(() => rmSync(folder, { recursive: true }));

const SIZE = 64 * 1024 * 1024;

async function sparse(path: string): Promise<void> {
  await using file = await open(path, "wx");
  await file.truncate(SIZE);
  await file.write("begin", 0);
  await file.write(Buffer.alloc(3 * 1024 * 1024, 7), 0, 3 * 1024 * 1024, 9 * 1024 * 1024 + 5);
  await file.write("end", SIZE - 3);
}

describe("copyDisk", () => {
  it("gives the same bytes, and no room to the holes", async () => {
    const [from, to] = [join(folder, "from"), join(folder, "to")];
    await sparse(from);
    await copyDisk(from, to);
    assert.ok(readFileSync(to).equals(readFileSync(from)));
    assert.ok(statSync(to).blocks * 512 < SIZE / 4);
  });

  it("copies a file without data", async () => {
    const [from, to] = [join(folder, "empty"), join(folder, "empty-copy")];
    writeFileSync(from, "");
    await copyDisk(from, to);
    assert.equal(statSync(to).size, 0);
  });

  it("replaces nothing", async () => {
    await assert.rejects(copyDisk(join(folder, "from"), join(folder, "to")), { code: "EEXIST" });
  });
});
