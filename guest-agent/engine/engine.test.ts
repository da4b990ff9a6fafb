import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { homedir, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { buildProgram } from "./build.ts";
import { engineObjects } from "./engine-objects.ts";

const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm/agent");

describe("a program on the engine", () => {
  let work: string;
  let pid: number;
  let status: number | null;
  let errors: string;
  const told = new Map<string, unknown>();

  before(async () => {
    work = mkdtempSync(join(tmpdir(), "dvm-engine-"));
    const engine = await engineObjects(CACHE, () => {});
    await buildProgram({ entry: join(import.meta.dirname, "test-program.ts"), engine, work });
    const folder = mkdtempSync(join(work, "files-"));
    const run = spawnSync(join(work, "agent"), [folder], { encoding: "utf8" });
    ({ pid, status, stderr: errors } = run);
    for (const line of run.stdout.split("\n").filter((text) => text !== "")) {
      const [name, value]: [string, unknown] = JSON.parse(line);
      told.set(name, value);
    }
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  it("makes system calls as the process that it is", () => {
    assert.equal(told.get("pid"), pid);
    assert.equal(told.get("status"), "agent");
    assert.equal(told.get("uname"), release());
    assert.equal(told.get("memory"), totalmem());
    assert.equal(told.get("random"), 300);
    assert.equal(told.get("rlimit"), true);
  });

  it("throws a failed call with its name, path and error", () => {
    assert.equal(told.get("missing"), "stat /no such file: ENOENT");
  });

  it("refuses a path with a NUL instead of using its head", () => {
    assert.match(String(told.get("nul")), /NUL/);
  });

  it("carries names that are not UTF-8 to the kernel and back", () => {
    assert.deepEqual(told.get("names"), ["bad-\udcff\udc80-\u00e9-\u{1f600}"]);
    assert.equal(told.get("codec"), true);
    assert.equal(told.get("readlink"), true);
  });

  it("forks, waits and executes", () => {
    assert.equal(told.get("child's exit"), 7);
    assert.equal(told.get("child's signal"), 137);
    assert.equal(told.get("execve"), 0);
    assert.equal(told.get("execve of nothing"), 3);
  });

  it("polls", () => {
    assert.deepEqual(told.get("poll before"), []);
    assert.deepEqual(told.get("poll after"), [1]);
  });

  it("ends with a code of its own and the error on standard error when the program throws", () => {
    assert.equal(status, 70);
    assert.match(errors, /Error: the end/);
  });
});
