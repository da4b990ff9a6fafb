/** Calls of the programs that networks are made with, ip(8), nft(8) and passt(1): input in, complaints out. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { networkError } from "./errors.ts";

export interface ProgramCall {
  readonly program: string;
  readonly args: readonly string[];
  /** what it reads */
  readonly input?: string;
  /** the name that it sees itself called by */
  readonly argv0?: string;
  readonly cwd?: string;
  /** descriptor that it has as its third; it stays the caller's */
  readonly inherited?: number;
  /** what to do when it is not installed */
  readonly missing: string;
}

export interface ProgramResult {
  readonly code: number;
  readonly output: string;
  readonly complaints: string;
}

/** Most of each output that is kept, in `characters`. */
const MAX_OUTPUT = 4 * 1024 * 1024;
/** Longest that a program takes before it is ended, in `milliseconds`. */
const PATIENCE = 30_000;
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** @throws DvmError `NETWORK_TOOL_MISSING` */
export async function callProgram(call: ProgramCall): Promise<ProgramResult> {
  const child = spawn(call.program, call.args, {
    stdio: ["pipe", "pipe", "pipe", ...(call.inherited === undefined ? [] : [call.inherited])],
    timeout: PATIENCE,
    killSignal: "SIGKILL",
    // programs of the system alone, speaking the language that is parsed
    env: { PATH: process.env.PATH ? `${process.env.PATH}:${PATH}` : PATH, LC_ALL: "C" },
    ...(call.argv0 === undefined ? {} : { argv0: call.argv0 }),
    ...(call.cwd === undefined ? {} : { cwd: call.cwd }),
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new TypeError("no pipes");
  const output = collect(stdout);
  const complaints = collect(stderr);
  // a program that does not read to the end says why itself
  stdin.on("error", () => {});
  stdin.end(call.input ?? "");
  try {
    const [code] = await once(child, "close");
    return { code: code ?? 1, output: output(), complaints: complaints() };
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (!["ENOENT", "EACCES"].includes(code)) throw cause;
    const what = code === "ENOENT" ? "is not installed" : "may not be executed";
    throw networkError("NETWORK_TOOL_MISSING", `${call.program} ${what}`, {
      cause,
      hint: call.missing,
    });
  }
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    if (text.length < MAX_OUTPUT) text += chunk.toString();
  });
  return () => text;
}
