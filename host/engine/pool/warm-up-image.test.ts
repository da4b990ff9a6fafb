import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { WARM_UP_BINARY } from "../artifacts.ts";
import { warmUpImage } from "./warm-up-image.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-warm-up-"));
after(() => rmSync(folder, { recursive: true }));

describe("the image of the warm-up", () => {
  it("has a program that runs itself, and ends", () => {
    const { status, stdout, stderr } = spawnSync(WARM_UP_BINARY, [], { encoding: "utf8" });
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "warm\n", stderr: "" });
  });

  it("is a disk whose files are there, however often it is made", async () => {
    const disk = await warmUpImage(folder);
    assert.deepEqual(await warmUpImage(folder), disk);
    for (const extent of disk) {
      if (extent.kind === "file") assert.ok(statSync(extent.path).size >= extent.length);
    }
    assert.equal(disk.reduce((sum, { length }) => sum + length, 0) % 2 ** 20, 0);
  });
});
