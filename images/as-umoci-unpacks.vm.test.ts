import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

const PROJECT = join(import.meta.dirname, "..");
const LISTING = readFileSync(join(import.meta.dirname, "list-files.sh"));
const MAX_OUTPUT = 64 * 2 ** 20;

/** Folder and file names of the images may be no UTF-8, so lines are compared as bytes. */
function linesOf(output: Buffer): string[] {
  return output.toString("latin1").split("\n");
}

function asUmociUnpacks(layout: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), "dvm-umoci-"));
  try {
    const bundle = join(folder, "bundle");
    execFileSync("umoci", ["unpack", "--image", `${layout}:latest`, bundle], { stdio: "ignore" });
    const args = ["-s", join(bundle, "rootfs")];
    return linesOf(execFileSync("sh", args, { input: LISTING, maxBuffer: MAX_OUTPUT }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function asContainerSees(layout: string): string[] {
  const args = ["run", "--rm", "-i", `oci:${layout}`, "sh"];
  return linesOf(
    execFileSync(join(PROJECT, "bin/dvm"), args, { input: LISTING, maxBuffer: MAX_OUTPUT }),
  );
}

describe("a container's files", () => {
  for (const [image, atLeast] of [
    ["layered", 9000],
    ["debian", 9000],
  ] as const) {
    it(`are those that umoci unpacks from the image ${image}`, () => {
      const layout = join(PROJECT, "build/images", image);
      const expected = asUmociUnpacks(layout);
      const seen = asContainerSees(layout);
      assert.ok(expected.length > atLeast, `the listing has ${expected.length} lines`);
      const wanted = new Set(expected);
      const got = new Set(seen);
      assert.deepEqual(
        seen.filter((line) => !wanted.has(line)),
        [],
        "only in the container",
      );
      assert.deepEqual(
        expected.filter((line) => !got.has(line)),
        [],
        "only as umoci unpacks",
      );
      assert.equal(seen.length, expected.length);
    });
  }
});
