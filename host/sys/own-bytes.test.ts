import assert from "node:assert/strict";
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ownBytes } from "./own-bytes.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-own-bytes-"));
after(() => rmSync(folder, { recursive: true }));

test("counts what is written, however many pieces it is in, and no holes", (context) => {
  const path = join(folder, "pieces");
  const fd = openSync(path, "w");
  const pieces = 700;
  for (let piece = 0; piece < pieces; piece++) {
    writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, piece * 1024 ** 2);
  }
  ftruncateSync(fd, 2 ** 30);
  fsyncSync(fd);
  closeSync(fd);
  const own = ownBytes(path);
  if (own === undefined) context.skip("the file system does not tell");
  else assert.ok(own >= pieces * 4096 && own < 2 * pieces * 65536, `${own}`);
});

test("of an empty file it is nothing", () => {
  const path = join(folder, "empty");
  closeSync(openSync(path, "w"));
  assert.ok((ownBytes(path) ?? 0) === 0);
});

test("names the file that is not there", () => {
  assert.throws(() => ownBytes(join(folder, "none")), /none/);
});
