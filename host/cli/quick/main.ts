/**
 * `dvm run` without Node: a container without input and terminal, of an image that is there, under a daemon that runs, is
 * started by this small program on the guest agent's engine, which is there in two milliseconds. Whatever is otherwise is
 * left to the command line on Node before anything is made, and so is a container whose daemon is lost.
 *
 * `quick NODE [OPTION...] -- MAIN [FLAG VALUE] run WORD...`: the command that does the same on Node.
 */

import "./globals.ts";
import { attempt, call, programArguments } from "../../sys/quickjs/calls.ts";
import type { LostDaemon } from "./lost-daemon.ts";
import { NotHere } from "./not-here.ts";
import { QuickRun } from "./quick-run.ts";
import { Signals } from "./signals.ts";
import { type DaemonChoice, openDaemon, wantedRun } from "./wanted-run.ts";
import { environmentWords, openStandardFiles, write } from "./world.ts";

const EXIT_FAILURE = 125;
const STDERR = 2;

function main(): number {
  openStandardFiles();
  Signals.ignoreBrokenPipes();
  const node = programArguments().slice(1);
  const begin = node.indexOf("--") + 2;
  const end = begin + (node[begin] === "run" ? 0 : 2);
  const follow = (lost: LostDaemon) =>
    become([...node.slice(0, end), "__follow", JSON.stringify(lost)]);
  let signals: Signals | undefined;
  try {
    const wanted = wantedRun(node.slice(end + 1), daemonChoice(node.slice(begin, end)));
    const daemon = openDaemon(wanted);
    signals = new Signals();
    const result = new QuickRun({ wanted, daemon, signals }).run();
    if ("exitCode" in result) return result.exitCode;
    follow({ ...result.lost, signals: signals.release() });
  } catch (error) {
    if (!(error instanceof NotHere)) throw error;
    // one that has come ends this program: nothing is made
    for (const number of signals?.release() ?? []) attempt("kill", attempt("getpid"), number);
    become(node);
  }
  return EXIT_FAILURE;
}

function daemonChoice([flag, value]: readonly string[]): DaemonChoice {
  switch (flag) {
    case undefined:
      return {};
    case "--data-root":
      return { dataRoot: value };
    case "--host":
    case "-H":
      return { host: value };
    default:
      throw new NotHere(flag);
  }
}

function become(command: readonly string[]): void {
  const [program = ""] = command;
  call(program, "execve", program, command, environmentWords());
}

try {
  attempt("exit_group", main());
} catch (error) {
  write(STDERR, `dvm: ${error instanceof Error ? error.message : String(error)}\n`);
}
attempt("exit_group", EXIT_FAILURE);
