/** How an error reads, and which exit code it ends with. */

import { DvmError } from "../../errors.ts";

/** The command that failed. */
export interface FailedCommand {
  /** its name; absent: dvm itself */
  readonly name?: string;
  /** its usage line */
  readonly usage?: string;
  /** whether Docker's exit codes 125 to 127 apply; else every failure is 1 */
  readonly runsContainer?: boolean;
  /** whether causes are shown */
  readonly verbose?: boolean;
}

/** Text for stderr, with Docker's own forms for what is wrong with the command line. */
export function renderError(error: unknown, command: FailedCommand): string {
  const message = error instanceof Error ? error.message : String(error);
  const help = command.name === undefined ? "--help" : `${command.name} --help`;
  const more = `Run 'dvm ${help}' for more information\n`;
  const code = error instanceof DvmError ? error.code : undefined;
  // the user knows: Ctrl-C was theirs
  if (code === "INTERRUPTED") return "";
  if (code === "USAGE") {
    return `${message}\n\n${command.usage === undefined ? "" : `${command.usage}\n\n`}${more}`;
  }
  if (code === "ARGUMENTS") {
    return `dvm: ${message}\n\n${command.usage === undefined ? "" : `${command.usage}\n\n`}${more}`;
  }
  const hint =
    error instanceof DvmError && error.hint !== undefined ? `  hint: ${error.hint}\n` : "";
  if (code === "UNKNOWN_COMMAND") return `dvm: ${message}\n${hint}\n${more}`;
  const trace = error instanceof DvmError ? "" : unexpected(error);
  const see = code === "CONFLICT" || code === "FLAG_FILE" ? `\n${more}` : "";
  return `dvm: ${message}\n${hint}${trace}${causes(error, command)}${see}`;
}

export function exitCodeOf(error: unknown, command: FailedCommand): number {
  if (!(error instanceof DvmError)) return command.runsContainer ? 125 : 1;
  const own = ["USAGE", "ARGUMENTS", "INTERRUPTED"].includes(error.code);
  return own || command.runsContainer ? error.exitCode : 1;
}

function causes(error: unknown, { verbose = false }: FailedCommand): string {
  if (!verbose) return "";
  let text = "";
  let cause = error instanceof Error ? error.cause : undefined;
  for (let depth = 0; cause instanceof Error && depth < 8; depth++) {
    text += `  cause: ${cause.message}\n`;
    cause = cause.cause;
  }
  return text;
}

/** An error that is none of ours is a defect, and the stack says where. */
function unexpected(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? "").split("\n").slice(1, 6) : [];
  return `  hint: this is a defect in dvm\n${stack.map((line) => `${line}\n`).join("")}`;
}
