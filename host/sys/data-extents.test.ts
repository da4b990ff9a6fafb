import assert from "node:assert/strict";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { dataExtents } from "./data-extents.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-extents-"));
after(() => rmSync(folder, { recursive: true }));

test("finds what was written beyond four gigabytes, and nothing in a file that is all hole", () => {
  const path = join(folder, "sparse");
  const fd = openSync(path, "w");
  ftruncateSync(fd, 6 * 2 ** 30);
  assert.deepEqual(dataExtents(path), []);
  for (const at of [1, 5 * 1024]) writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, at * 2 ** 20);
  closeSync(fd);
  const found = dataExtents(path);
  for (const at of [2 ** 20, 5 * 2 ** 30]) {
    assert.ok(found.some(({ offset, length }) => offset <= at && at + 4096 <= offset + length));
  }
  assert.ok(found.every(({ length }) => length < 2 ** 20));
});

test("names the file that is not there", () => {
  assert.throws(() => dataExtents(join(folder, "none")), /none/);
});
