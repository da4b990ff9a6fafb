import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { SpareGuardian } from "./spare-guardian.ts";

function sleeper(): { child: ChildProcess; pid: number; ended: Promise<unknown[]> } {
  const child = spawn("sleep", ["1000"]);
  return { child, pid: child.pid ?? 0, ended: once(child, "exit") };
}

describe("SpareGuardian", () => {
  it("ends what is left and nothing else", async () => {
    const [left, taken] = [sleeper(), sleeper()];
    const guardian = new SpareGuardian();
    guardian.add(left.pid);
    guardian.add(taken.pid);
    guardian.remove(taken.pid);
    guardian[Symbol.dispose]();
    assert.deepEqual(await left.ended, [null, "SIGKILL"]);
    assert.equal(taken.child.exitCode, null);
    assert.equal(taken.child.signalCode, null);
    taken.child.kill();
    await taken.ended;
  });

  it("ends them when its daemon was killed", async () => {
    const spare = sleeper();
    const module = join(import.meta.dirname, "spare-guardian.ts");
    const script = `const { SpareGuardian } = await import(${JSON.stringify(module)});
      new SpareGuardian().add(${spare.pid}); console.log("told"); setInterval(() => {}, 1000);`;
    const daemon = spawn(process.execPath, ["--input-type=module", "-e", script]);
    await once(daemon.stdout, "data");
    daemon.kill("SIGKILL");
    assert.deepEqual(await spare.ended, [null, "SIGKILL"]);
  });
});
