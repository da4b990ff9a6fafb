import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { cpioArchive } from "./cpio.ts";

describe("cpioArchive", () => {
  it("writes what another cpio unpacks with type, mode and content", () => {
    const folder = mkdtempSync(join(tmpdir(), "dvm-cpio-"));
    try {
      const input = cpioArchive([
        { name: "etc", mode: 0o040750 },
        { name: "etc/five", mode: 0o100640, content: Buffer.from("fives") },
        { name: "etc/none", mode: 0o100755, content: new Uint8Array(0) },
      ]);
      execFileSync("busybox", ["cpio", "-i"], {
        cwd: folder,
        input,
        stdio: ["pipe", "pipe", "pipe"],
      });
      assert.equal(lstatSync(join(folder, "etc")).mode, 0o040750);
      assert.equal(lstatSync(join(folder, "etc/five")).mode, 0o100640);
      assert.equal(readFileSync(join(folder, "etc/five"), "utf8"), "fives");
      assert.equal(readFileSync(join(folder, "etc/none")).length, 0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("lists device nodes with their numbers", () => {
    const input = cpioArchive([{ name: "console", mode: 0o020600, device: [5, 1] }]);
    const listing = execFileSync("busybox", ["cpio", "-t", "-v"], {
      input,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
    assert.match(listing, /^crw------- .*console$/m);
    assert.equal(input.toString("latin1", 78, 94), "0000000500000001");
  });

  it("keeps every member on a boundary of 4 bytes, whatever its length", () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ minLength: 1 }),
      (content, name) => {
        const archive = cpioArchive([{ name, mode: 0o100644, content }]);
        const trailer = archive.indexOf("TRAILER!!!") - 110;
        return (
          archive.length % 4 === 0 &&
          trailer % 4 === 0 &&
          archive.toString("latin1", trailer, trailer + 6) === "070701"
        );
      },
    );
    fc.assert(property);
  });
});
