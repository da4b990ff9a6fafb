/** dvm start: start containers that do not run, and with -a join this terminal to one of them. */

import type { DaemonClient } from "../../api/client/daemon-client.ts";
import { joinStreams } from "../../api/client/join-streams.ts";
import type { CliContext, Command } from "../command.ts";
import { forEach } from "../each.ts";
import { cliError } from "../errors.ts";
import { checkCount, detachKeysFlag, helpFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { processSession } from "../terminal/process-session.ts";

const flags = {
  ...helpFlag,
  ...detachKeysFlag,
  attach: booleanFlag({ short: "a", help: "Attach STDOUT/STDERR and forward signals" }),
  interactive: booleanFlag({ short: "i", help: "Attach container's STDIN" }),
  checkpoint: valueFlag({
    placeholder: "string",
    help: "Restore from this checkpoint",
    parse: (value) => value,
  }),
} as const;

export const start: Command = {
  usage: "start [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Start one or more stopped containers",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "start", { least: 1, most: Number.POSITIVE_INFINITY });
    const attaches = values.attach || values.interactive;
    if (attaches && args.length > 1) {
      throw cliError("ARGUMENTS", "you cannot start and attach multiple containers at once");
    }
    const { checkpoint } = values;
    if (checkpoint !== undefined && args.length > 1) {
      throw cliError("ARGUMENTS", "you cannot restore multiple containers at once");
    }
    using daemon = await context.openDaemon();
    if (attaches) {
      const [container = ""] = args;
      const { interactive, "detach-keys": detachKeys } = values;
      const wish = { container, interactive, detachKeys, checkpoint };
      return await startAttached({ context, daemon, ...wish });
    }
    return await forEach({
      context,
      name: "start",
      references: args,
      act: async (reference) => {
        await daemon.start(reference, { checkpoint });
        return reference;
      },
    });
  },
};

interface AttachedStart {
  readonly context: CliContext;
  readonly daemon: DaemonClient;
  readonly container: string;
  readonly interactive: boolean;
  readonly detachKeys: string | undefined;
  readonly checkpoint: string | undefined;
}

/** Everything is joined before the start, so that nothing is missed. @returns the process's exit code */
async function startAttached(options: AttachedStart): Promise<number> {
  const { context, daemon, container, interactive, detachKeys, checkpoint } = options;
  const { Id: id, Config: config, State: state } = await daemon.details(container);
  const terminal = config.Tty;
  const wantsInput = interactive && config.OpenStdin;
  if (wantsInput && terminal && context.stdin.isTTY !== true) {
    throw cliError("NOT_A_TERMINAL", "the input device is not a TTY");
  }
  const socket = await daemon.attach(id, {
    stdin: wantsInput,
    stdout: true,
    stderr: true,
    ...(detachKeys ? { detachKeys } : {}),
  });
  const ended = await daemon.wait(id, state.Running ? "not-running" : "next-exit");
  const { stdin, stdout, stderr } = context;
  const streams = { ...(wantsInput ? { stdin } : {}), stdout, stderr };
  const joined = joinStreams({ socket, streams, terminal, detachKeys });
  joined.catch(() => {});
  await daemon.start(id, { checkpoint });
  using _session = processSession({
    context,
    raw: terminal && wantsInput,
    forward: (signal) => daemon.kill(id, signal),
    ...(terminal ? { resize: (size) => daemon.resize(id, size) } : {}),
  });
  if ((await joined) === "detached") return 0;
  return (await ended()).StatusCode;
}
