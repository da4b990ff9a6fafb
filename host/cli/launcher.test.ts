import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DVM } from "./test-dvm.ts";

let home = "";
before(() => {
  home = mkdtempSync(join(tmpdir(), "dvm-launcher-"));
  writeFileSync(join(home, "node"), '#!/bin/sh\nprintf %s "$NODE_COMPILE_CACHE"\n', {
    mode: 0o700,
  });
});
after(() => rmSync(home, { recursive: true }));

/** Where the launcher has Node keep compiled code. */
function cacheFolder(program: string, environment: Readonly<Record<string, string>>): string {
  const env = { PATH: process.env.PATH, DVM_NODE: join(home, "node"), ...environment };
  return execFileSync(program, ["version"], { env, encoding: "utf8" });
}

for (const program of [DVM, `${DVM}d`]) {
  test(`${program.replace(/.*\//, "")} keeps compiled code where its user alone may write`, () => {
    assert.equal(cacheFolder(program, { HOME: home }), `${home}/.cache/dvm/node`);
    assert.equal(cacheFolder(program, { XDG_CACHE_HOME: "/cache" }), "/cache/dvm/node");
    assert.equal(cacheFolder(program, {}), "");
    const another = process.getuid?.() === 0 ? "/nonexistent" : "/";
    assert.equal(cacheFolder(program, { HOME: another }), "");
  });
}
