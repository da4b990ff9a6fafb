import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { ProgramWatch } from "./program-watch.ts";

/** A project of one source, and a program made from it. */
function project(program: "dvmd.cjs" | "dvmd.ts") {
  const root = mkdtempSync(join(tmpdir(), "dvm-program-"));
  for (const folder of ["host/cli", "guest-agent/protocol"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  const paths = {
    program: join(root, program),
    source: join(root, "host", "engine.ts"),
    test: join(root, "host", "engine.test.ts"),
    client: join(root, "host", "cli", "ps.ts"),
  };
  for (const path of Object.values(paths)) writeFileSync(path, "1");
  const watch = new ProgramWatch({ program: paths.program, root });
  return { ...paths, watch, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}

/** As builds and package managers do. */
function replace(path: string): void {
  writeFileSync(`${path}.new`, "2");
  renameSync(`${path}.new`, path);
}

describe("a daemon under which dvm is updated", () => {
  it("is old from when its program is another file, and makes way for who may ask for it", async () => {
    using at = project("dvmd.cjs");
    assert.equal(at.watch.tell(true), "current");
    replace(at.program);
    assert.equal(at.watch.tell(false), "old");
    assert.equal(at.watch.tell(true), "renewing");
    assert.equal(at.watch.tell(false), "renewing");
    await at.watch.renewal;
  });

  it("that runs from sources is old when one of them is, of its own", () => {
    using at = project("dvmd.ts");
    for (const path of [at.test, at.client]) replace(path);
    assert.equal(at.watch.tell(false), "current");
    replace(at.source);
    assert.equal(at.watch.tell(false), "old");
  });

  it("makes way by itself once nobody is connected, for its sources too", async () => {
    using at = project("dvmd.cjs");
    replace(at.source);
    let looks = 0;
    const watched = at.watch.watch(() => ++looks > 2, 1);
    await at.watch.renewal;
    await watched;
    assert.equal(looks, 3);
  });

  it("outlives a look at an update that is under way", async () => {
    using at = project("dvmd.cjs");
    const host = dirname(at.source);
    rmSync(host, { recursive: true });
    writeFileSync(host, "no folder, for a moment");
    const watched = at.watch.watch(() => true, 1);
    await setTimeout(20);
    rmSync(host);
    mkdirSync(host);
    writeFileSync(at.source, "2");
    await at.watch.renewal;
    await watched;
  });
});
