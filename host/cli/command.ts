/** What a command of the command line is. */

import type { Readable, Writable } from "node:stream";
import type { DaemonClient } from "../api/client/daemon-client.ts";
import type { FlagTable } from "./parse/flag-set.ts";

/** The world that a command sees; tests give it another. */
export interface CliContext {
  readonly stdin: Readable & Partial<TerminalInput>;
  readonly stdout: Writable & Partial<TerminalOutput>;
  readonly stderr: Writable & Partial<TerminalOutput>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** value of --data-root */
  readonly dataRoot: string | undefined;
  /** value of --host */
  readonly host: string | undefined;
  /** Finds the daemon, and starts it when none runs. @throws DvmError `DAEMON_UNREACHABLE` */
  readonly openDaemon: () => Promise<DaemonClient>;
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
  /** further forms of it */
  readonly alsoUsage?: readonly string[];
  /** one sentence for the help */
  readonly summary: string;
  readonly flags: FlagTable;
  /** of a family of commands: those in it */
  readonly members?: Readonly<Record<string, () => Promise<Command>>>;
  /** Does the work. @returns the exit code */
  readonly run: (words: readonly string[], context: CliContext) => Promise<number>;
}
