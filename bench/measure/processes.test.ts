import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { endProcesses, memoryOf, processesOf } from "./processes.ts";

describe("processesOf", () => {
  it("finds what has the mark on its command line, and its descendants, and ends them all", async () => {
    const mark = `dvm-bench-mark-${process.pid}-${performance.now()}`;
    const script = "sleep 1000 & echo; wait";
    const shell = spawn("sh", ["-c", script, mark], { stdio: ["ignore", "pipe", "ignore"] });
    await once(shell.stdout, "data");
    const found = await processesOf(mark);
    assert.equal(found.length, 2);
    assert.ok(found.includes(shell.pid ?? -1));
    const { pss, rss } = await memoryOf(found);
    assert.ok(pss > 0 && rss >= pss);
    const ended = once(shell, "close");
    await endProcesses(mark);
    await ended;
    assert.deepEqual(await processesOf(mark), []);
  });

  it("never takes the bench itself", async () => {
    assert.ok(!(await processesOf(process.execPath)).includes(process.pid));
  });
});

describe("memoryOf", () => {
  it("takes a process that has gone for one that holds nothing", async () => {
    assert.deepEqual(await memoryOf([2 ** 30]), { pss: 0, rss: 0 });
  });
});
