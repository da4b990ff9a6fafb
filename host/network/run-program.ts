/** Calls of the programs that networks are made with, ip(8), nft(8) and passt(1): input in, complaints out. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";
import { networkError } from "./errors.ts";

export interface Program {
  readonly program: string;
  readonly args: readonly string[];
  /** the name that it sees itself called by */
  readonly argv0?: string;
  readonly cwd?: string;
  /** descriptor that it has as its third; it stays the caller's */
  readonly inherited?: number;
  /** what to do when it is not installed */
  readonly missing: string;
}

export interface ProgramCall extends Program {
  /** what it reads */
  readonly input?: string;
}

export interface ProgramResult {
  readonly code: number;
  readonly output: string;
  readonly complaints: string;
}

/** A process that waits for its input; it keeps nobody from ending, and ends with us. */
export interface StartedProgram {
  /** whether it is still to be had */
  readonly isThere: () => boolean;
  /** Gives it its input, and waits for its end. @throws DvmError `NETWORK_TOOL_MISSING` */
  readonly finish: (input: string) => Promise<ProgramResult>;
}

/** Most of each output that is kept, in `characters`. */
const MAX_OUTPUT = 4 * 1024 * 1024;
/** Longest that a program takes before it is ended, in `milliseconds`. */
const PATIENCE = 30_000;
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** @throws DvmError `NETWORK_TOOL_MISSING` */
export async function callProgram({ input = "", ...program }: ProgramCall): Promise<ProgramResult> {
  return startProgram(program).finish(input);
}

export function startProgram(call: Program): StartedProgram {
  const child = spawn(call.program, call.args, {
    stdio: ["pipe", "pipe", "pipe", ...(call.inherited === undefined ? [] : [call.inherited])],
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
  let isOver = false;
  const end = once(child, "close").finally(() => {
    isOver = true;
  });
  // whoever gives it its input hears of its failure
  end.catch(() => {});
  const pipes = [stdin, stdout, stderr].filter((each) => each instanceof Socket);
  const handles = [child, ...pipes];
  for (const each of handles) each.unref();
  return {
    isThere: () => !isOver && child.exitCode === null && child.signalCode === null,
    finish: async (input) => {
      for (const each of handles) each.ref();
      const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
      stdin.end(input);
      try {
        const [code] = await end;
        return { code: code ?? 1, output: output(), complaints: complaints() };
      } catch (cause) {
        throw explain(cause, call);
      } finally {
        clearTimeout(late);
      }
    },
  };
}

function explain(cause: unknown, { program, missing }: Program): unknown {
  const { code = "" } = cause as NodeJS.ErrnoException;
  if (!["ENOENT", "EACCES"].includes(code)) return cause;
  const what = code === "ENOENT" ? "is not installed" : "may not be executed";
  return networkError("NETWORK_TOOL_MISSING", `${program} ${what}`, { cause, hint: missing });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    if (text.length < MAX_OUTPUT) text += chunk.toString();
  });
  return () => text;
}
