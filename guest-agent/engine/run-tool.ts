/** Runs a program of the build and waits for its end. */

import { spawn } from "node:child_process";
import { AgentBuildError, type AgentBuildErrorCode } from "./errors.ts";

/** How much of a failed program's last words goes into the error, in characters. */
const TAIL = 2000;

export interface ToolOptions {
  /** working directory */
  readonly directory: string;
  /** code of the error when the program fails */
  readonly failure: AgentBuildErrorCode;
}

/** @returns standard output. @throws AgentBuildError when the program is missing or fails */
export function runTool(
  program: string,
  args: readonly string[],
  options: ToolOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.directory,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, LC_ALL: "C" },
    });
    let output = "";
    let words = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words = (words + text).slice(-TAIL);
    });
    child.on("error", (cause) =>
      reject(new AgentBuildError("AGENT_TOOL", `cannot run ${program}`, { cause })),
    );
    child.on("close", (code, signal) => {
      if (code === 0) resolve(output);
      else {
        const end = signal ?? `exit code ${code}`;
        reject(
          new AgentBuildError(options.failure, `${program} failed with ${end}: ${words.trim()}`),
        );
      }
    });
  });
}
