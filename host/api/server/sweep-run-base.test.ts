import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { lockFile } from "../../sys/file-lock.ts";
import { sweepRunBase } from "./sweep-run-base.ts";

test("what dead daemons have left is removed; what lives, holds a machine, is new or foreign stays", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dvm-sweep-"));
  const make = (name: string, machines: readonly string[] = []) => {
    mkdirSync(join(folder, name));
    for (const machine of machines) mkdirSync(join(folder, name, machine));
    writeFileSync(join(folder, `${name}.sock.lock`), "1\n");
  };
  try {
    make("at-00000001");
    make("at-00000002", ["abc"]);
    make("at-00000003");
    writeFileSync(join(folder, "at-00000004.sock.lock"), "");
    mkdirSync(join(folder, "default"));
    using _lock = await lockFile(join(folder, "at-00000003.sock.lock"));
    sweepRunBase(folder);
    assert.equal(readdirSync(folder).length, 8);
    sweepRunBase(folder, Date.now() + 3_600_000);
    assert.deepEqual(readdirSync(folder).sort(), [
      "at-00000002",
      "at-00000002.sock.lock",
      "at-00000003",
      "at-00000003.sock.lock",
      "default",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
