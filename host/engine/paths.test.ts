import assert from "node:assert/strict";
import { lchownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { makePrivateFolder } from "./paths.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dvm-paths-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a private folder is made for its owner alone, with those above it", () => {
  makePrivateFolder(join(folder, "a", "b"));
  assert.equal(statSync(join(folder, "a", "b")).mode & 0o777, 0o700);
});

const isRoot = process.getuid?.() === 0;

test("a private folder is reached by a link of its owner's, and by no other's", () => {
  mkdirSync(join(folder, "real"));
  symlinkSync("real", join(folder, "link"));
  makePrivateFolder(join(folder, "link"));
  if (!isRoot) return;
  lchownSync(join(folder, "link"), 4242, 4242);
  assert.throws(() => makePrivateFolder(join(folder, "link")), {
    code: "DATA_ROOT_UNUSABLE",
    message: `${join(folder, "link")} is a link of user 4242's`,
  });
});
