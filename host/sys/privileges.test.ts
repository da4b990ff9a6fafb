import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const MODULE = join(import.meta.dirname, "privileges.ts");
const isRoot = process.geteuid?.() === 0;

/** Runs a script in a process of its own, for what it gives up is gone for good; its output as JSON. */
function inChild(script: string): unknown {
  const program = `import { openSync, readFileSync, writeFileSync } from "node:fs";
    import * as privileges from ${JSON.stringify(MODULE)};
    const code = (action) => { try { action(); return "done"; } catch (error) { return error.code; } };
    ${script}`;
  const words = ["--no-warnings", "--input-type=module-typescript", "-e", program];
  return JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8" }));
}

test("of its capabilities a thread has left those that it is to keep", { skip: !isRoot }, () => {
  const effective = (kept: string) =>
    inChild(`privileges.dropCapabilities(${kept});
      console.log(JSON.stringify(readFileSync("/proc/thread-self/status", "utf8").match(/CapEff:\\s*(.*)/)[1]));`);
  assert.equal(effective("[]"), "0000000000000000");
  assert.equal(effective("[0, 3]"), "0000000000000009");
});

test("a thread opens no file but those beneath its folders, and writes none beneath a read-only one", () => {
  const folder = mkdtempSync(join(tmpdir(), "dvm-privileges-"));
  try {
    for (const name of ["free", "fixed"]) mkdirSync(join(folder, name));
    for (const name of ["free/a", "fixed/a", "single", "other"])
      writeFileSync(join(folder, name), "");
    const result = inChild(`
      const at = (name) => ${JSON.stringify(folder)} + "/" + name;
      const share = (name, kind, readOnly) => ({ fd: openSync(at(name), "r"), kind, readOnly });
      privileges.setNoNewPrivileges();
      const works = privileges.restrictFiles([
        share("free", "folder", false), share("fixed", "folder", true), share("single", "file", false),
      ]);
      const read = (name) => code(() => readFileSync(at(name)));
      const write = (name) => code(() => writeFileSync(at(name), "x"));
      console.log(JSON.stringify(works && [
        ["free/a", "fixed/a", "single", "other"].map(read),
        ["free/a", "free/new", "fixed/a", "fixed/new", "single", "other"].map(write),
      ]));`);
    if (result === false) return; // a kernel without Landlock
    assert.deepEqual(result, [
      ["done", "done", "done", "EACCES"],
      ["done", "done", "EACCES", "EACCES", "done", "EACCES"],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
