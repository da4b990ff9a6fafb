import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { ReadyProgram } from "./ready-program.ts";

/** Says its own number and what it reads. */
const SHELL = { program: "sh", args: ["-c", "echo $$; cat; exit 3"], missing: "nothing" };

describe("a program that is kept ready", () => {
  it("serves each call by a process of its own, whether one waits or not", async () => {
    const ready = new ReadyProgram(SHELL, 1, { rest: 0 });
    const pids = new Set<string | undefined>();
    for (const input of ["one", "two", "three"]) {
      const { code, output } = await ready.call(input);
      const [pid, said] = output.split("\n");
      assert.deepEqual([code, said], [3, input]);
      pids.add(pid);
      await setTimeout(20);
    }
    const both = await Promise.all([ready.call("four"), ready.call("five")]);
    for (const { output } of both) pids.add(output.split("\n")[0]);
    assert.equal(pids.size, 5);
  });

  it("does not count on a process that has ended meanwhile", async () => {
    const program = { program: "tac", args: [], missing: "nothing" };
    const ready = new ReadyProgram(program, 2, { rest: 0 });
    await ready.call("a\n");
    while (children("tac").length < 2) await setTimeout(20);
    for (const pid of children("tac")) process.kill(pid, "SIGKILL");
    while (children("tac").length > 0) await setTimeout(20);
    assert.equal((await ready.call("b\n")).output, "b\n");
  });

  it("lets them go when nobody calls any more", async () => {
    const program = { program: "rev", args: [], missing: "nothing" };
    const ready = new ReadyProgram(program, 2, { rest: 0, idle: 200 });
    await ready.call("a");
    while (children("rev").length < 2) await setTimeout(5);
    while (children("rev").length > 0) await setTimeout(20);
  });

  it("says what is not installed, at every call", async () => {
    const ready = new ReadyProgram({ program: "dvm-no-such", args: [], missing: "make it" }, 1, {
      rest: 0,
    });
    for (const input of ["one", "two"]) {
      const refusal = { code: "NETWORK_TOOL_MISSING", message: "dvm-no-such is not installed" };
      await assert.rejects(ready.call(input), refusal);
      await setTimeout(20);
    }
  });

  it("keeps no process from ending, and ends with it", () => {
    const script = `
      import { ReadyProgram } from ${JSON.stringify(`${import.meta.dirname}/ready-program.ts`)};
      const ready = new ReadyProgram({ program: "cat", args: [], missing: "" }, 1, { rest: 0 });
      await ready.call("");
      setTimeout(() => console.log("over"), 100);
    `;
    const args = ["--no-warnings", "--input-type=module-typescript", "-e", script];
    assert.equal(execFileSync(process.execPath, args).toString(), "over\n");
  });
});

/** Processes of ours that run a program, or ran it and have not been heard of yet. */
function children(program: string): number[] {
  const text = execFileSync("ps", ["-o", "pid=,comm=", "--ppid", `${process.pid}`]).toString();
  const lines = text.split("\n").filter((line) => line.includes(` ${program}`));
  return lines.map((line) => Number.parseInt(line, 10));
}
