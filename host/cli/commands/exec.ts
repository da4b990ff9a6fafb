/** dvm exec: run another command in a container that runs. */

import type { DaemonClient } from "../../api/client/daemon-client.ts";
import { joinStreams } from "../../api/client/join-streams.ts";
import type { CliContext, Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { checkCount, detachKeysFlag, helpFlag } from "../parse/common-flags.ts";
import {
  inheritValues,
  parseEnvironmentVariable,
  readEnvironmentFile,
} from "../parse/environment.ts";
import { asText, booleanFlag, listFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { processSession } from "../terminal/process-session.ts";
import { detached } from "./attach.ts";

const flags = {
  ...helpFlag,
  ...detachKeysFlag,
  detach: booleanFlag({ short: "d", help: "Detached mode: run command in the background" }),
  env: listFlag({
    short: "e",
    help: "Set environment variables",
    parse: parseEnvironmentVariable,
  }),
  "env-file": listFlag({ help: "Read in a file of environment variables", parse: asText }),
  interactive: booleanFlag({ short: "i", help: "Keep STDIN open even if not attached" }),
  privileged: booleanFlag({ help: "Give extended privileges to the command" }),
  tty: booleanFlag({ short: "t", help: "Allocate a pseudo-TTY" }),
  user: valueFlag({
    short: "u",
    placeholder: "string",
    help: 'Username or UID (format: "<name|uid>[:<group|gid>]")',
    parse: asText,
  }),
  workdir: valueFlag({
    short: "w",
    placeholder: "string",
    help: "Working directory inside the container",
    parse: asText,
  }),
} as const;

export const exec: Command = {
  usage: "exec [OPTIONS] CONTAINER COMMAND [ARG...]",
  summary: "Execute a command in a running container",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words, { interspersed: false });
    checkCount(args, "exec", { least: 2, most: Number.POSITIVE_INFINITY });
    const [container = "", ...command] = args;
    const { detach, interactive, tty: terminal, user, workdir, privileged } = values;
    if (terminal && interactive && !detach && context.stdin.isTTY !== true) {
      throw cliError("NOT_A_TERMINAL", "the input device is not a TTY");
    }
    const given = [...values["env-file"].flatMap(readEnvironmentFile), ...values.env];
    using daemon = await context.openDaemon();
    const id = await daemon.createExec(container, {
      command,
      env: inheritValues(given, context.environment),
      terminal,
      privileged,
      attach: { stdin: interactive && !detach, stdout: !detach, stderr: !detach },
      ...(user ? { user } : {}),
      ...(workdir ? { workingDirectory: workdir } : {}),
      ...(values["detach-keys"] ? { detachKeys: values["detach-keys"] } : {}),
    });
    if (detach) {
      await daemon.startExecDetached(id);
      return 0;
    }
    return await runAttached({
      context,
      daemon,
      id,
      terminal,
      interactive,
      detachKeys: values["detach-keys"],
    });
  },
};

interface AttachedExec {
  readonly context: CliContext;
  readonly daemon: DaemonClient;
  readonly id: string;
  readonly terminal: boolean;
  readonly interactive: boolean;
  readonly detachKeys: string | undefined;
}

/** @returns the command's exit code */
async function runAttached(options: AttachedExec): Promise<number> {
  const { context, daemon, id, terminal, interactive, detachKeys } = options;
  const { stdin, stdout, stderr } = context;
  const { rows, columns } = stdout;
  const size = terminal && rows && columns ? { rows, columns } : undefined;
  const socket = await daemon.startExec(id, size);
  using _session = processSession({
    context,
    raw: terminal && interactive,
    ...(terminal ? { resize: (changed) => daemon.resizeExec(id, changed) } : {}),
  });
  const streams = { ...(interactive ? { stdin } : {}), stdout, stderr };
  if ((await joinStreams({ socket, streams, terminal, detachKeys })) === "detached") {
    return detached(context);
  }
  const { ExitCode: exitCode = 0 } = await daemon.execState(id);
  return exitCode;
}
