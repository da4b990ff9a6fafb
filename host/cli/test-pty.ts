/** For tests: lines of shell on a pseudo-terminal, with somebody who types. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { DVM, type TestUser } from "./test-dvm.ts";

/** What is awaited on the terminal, and what is typed, or done, then. */
export type Step = readonly [awaited: string, action: string | (() => Promise<void>)];

/**
 * Runs a line of shell on a pseudo-terminal of its own, which script(1) makes, and types what the steps say.
 *
 * @returns every byte that came out of the terminal
 */
export async function onTerminal(user: TestUser, line: string, steps: readonly Step[] = []) {
  const child = spawn("script", ["--quiet", "--flush", "--command", line, "/dev/null"], {
    env: { ...user.environment, DVM, SHELL: "/bin/bash" },
    // what never comes is not waited for
    timeout: 60_000,
  });
  let out = "";
  let from = 0;
  const pending = [...steps];
  child.stdin.on("error", () => {});
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString("latin1");
    for (let [step] = pending; step !== undefined; [step] = pending) {
      const at = out.indexOf(step[0], from);
      if (at < 0) return;
      from = at + step[0].length;
      const [, action] = step;
      if (typeof action === "string") child.stdin.write(action);
      else void action();
      pending.shift();
    }
  });
  await new Promise((resolve) => child.on("close", resolve));
  assert.deepEqual(pending, [], out);
  return out;
}
