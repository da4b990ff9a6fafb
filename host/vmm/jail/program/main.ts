/**
 * The jail: makes a place without anything that the host has not named, and becomes a program in it.
 *
 * It runs on the guest agent's engine, since it has to change what it is between fork and exec, which Node's processes
 * cannot; and it is there within a millisecond. `jail SETTINGS`, see `JailSettings`.
 */

import { PR_SET_PDEATHSIG } from "#linux/prctl";
import { SIGNALS } from "#linux/signal";
import { attempt, bytesOf, call, programArguments } from "../../../sys/quickjs/calls.ts";
import type { JailSettings } from "../settings.ts";
import { enterOwnTree } from "./file-tree.ts";
import { refuseCalls } from "./filter.ts";
import { restrictFiles } from "./landlock.ts";
import { dropCapabilities, setNoNewPrivileges } from "./privileges.ts";

const EXIT_FAILURE = 125;
const STANDARD_ERROR = 2;

function become({ parent, entries, command, environment }: JailSettings): void {
  enterOwnTree(entries);
  setNoNewPrivileges();
  dropCapabilities();
  restrictFiles(entries);
  if (parent !== undefined) endWith(parent);
  refuseCalls(attempt("getpid"));
  call(command[0], "execve", command[0], command, environment);
}

/** Late, for a change of credentials takes it back (prctl(2)); a parent that died before is known by its number. */
function endWith(parent: number): void {
  call("PR_SET_PDEATHSIG", "prctl", PR_SET_PDEATHSIG, SIGNALS.SIGKILL, 0, 0, 0);
  if (attempt("getppid") !== parent) throw new Error("the process that asked for this is no more");
}

try {
  // Both ends are of one build: the settings are what the host's types say.
  become(JSON.parse(programArguments()[1] ?? "") as JailSettings);
} catch (error) {
  const words = bytesOf(`dvm-jail: ${error instanceof Error ? error.message : String(error)}\n`);
  attempt("write", STANDARD_ERROR, words, words.length);
}
attempt("exit_group", EXIT_FAILURE);
