/** What a command of the command line is. */

import type { Readable, Writable } from "node:stream";
import type { EngineApi, EventSink } from "../api/engine-api.ts";
import type { FlagTable } from "./parse/flag-set.ts";

/** The world that a command sees; tests give it another. */
export interface CliContext {
  readonly stdin: Readable & Partial<TerminalInput>;
  readonly stdout: Writable & Partial<TerminalOutput>;
  readonly stderr: Writable & Partial<TerminalOutput>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** value of --data-root */
  readonly dataRoot: string | undefined;
  readonly openEngine: (onEvent: EventSink) => Promise<EngineApi>;
}

/** What a terminal can do beyond being read (tty.ReadStream). */
export interface TerminalInput {
  readonly isTTY: boolean;
  /** file descriptor */
  readonly fd: number;
  setRawMode(mode: boolean): unknown;
}

/** What a terminal can do beyond being written (tty.WriteStream). */
export interface TerminalOutput {
  readonly isTTY: boolean;
  readonly columns: number;
  readonly rows: number;
}

export interface Command {
  /** name and arguments as the help shows them, such as `rm [OPTIONS] CONTAINER [CONTAINER...]` */
  readonly usage: string;
  /** one sentence for the help */
  readonly summary: string;
  readonly flags: FlagTable;
  /** Does the work. @returns the exit code */
  readonly run: (words: readonly string[], context: CliContext) => Promise<number>;
}
