import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { lockFile, tryLockFile } from "./file-lock.ts";

describe("file locks", () => {
  const folder = mkdtempSync(join(tmpdir(), "dvm-lock-test-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

  test("are held by one at a time, folders too", () => {
    {
      using held = tryLockFile(folder);
      assert.notEqual(held, undefined);
      assert.equal(tryLockFile(folder), undefined);
    }
    using again = tryLockFile(folder);
    assert.notEqual(again, undefined);
  });

  test("can be shared by those who only read", () => {
    using first = tryLockFile(folder, { shared: true });
    using second = tryLockFile(folder, { shared: true });
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(tryLockFile(folder), undefined);
  });

  test("are waited for, until the wait is given up", async () => {
    const held = await lockFile(folder);
    await assert.rejects(lockFile(folder, { signal: AbortSignal.abort() }), { name: "AbortError" });
    const waiting = lockFile(folder);
    held[Symbol.dispose]();
    (await waiting)[Symbol.dispose]();
  });

  test("of files that are not there are refused by name", () => {
    assert.throws(() => tryLockFile(join(folder, "none")), { code: "ENOENT" });
  });
});
