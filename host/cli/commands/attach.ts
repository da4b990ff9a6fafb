/** dvm attach: this terminal's streams on a container that runs. */

import { joinStreams } from "../../api/client/join-streams.ts";
import type { CliContext, Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { checkCount, detachKeysFlag, helpFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { processSession } from "../terminal/process-session.ts";

const flags = {
  ...helpFlag,
  ...detachKeysFlag,
  "no-stdin": booleanFlag({ help: "Do not attach STDIN" }),
  "sig-proxy": booleanFlag({ help: "Proxy all received signals to the process", initial: true }),
} as const;

export const attach: Command = {
  usage: "attach [OPTIONS] CONTAINER",
  summary: "Attach local standard input, output, and error streams to a running container",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "attach", { least: 1 });
    using daemon = await context.openDaemon();
    const { Id: id, Config: config, State: state } = await daemon.details(args[0] ?? "");
    checkState(state);
    const terminal = config.Tty;
    const wantsInput = config.OpenStdin && !values["no-stdin"];
    if (wantsInput && terminal && context.stdin.isTTY !== true) {
      throw cliError("NOT_A_TERMINAL", "the input device is not a TTY");
    }
    const detachKeys = values["detach-keys"];
    const ended = await daemon.wait(id, "not-running");
    const socket = await daemon.attach(id, {
      stdin: wantsInput,
      stdout: true,
      stderr: true,
      ...(detachKeys ? { detachKeys } : {}),
    });
    using _session = processSession({
      context,
      raw: terminal && wantsInput,
      ...(values["sig-proxy"] ? { forward: (signal) => daemon.kill(id, signal) } : {}),
      ...(terminal ? { resize: (size) => daemon.resize(id, size) } : {}),
    });
    const { stdin, stdout, stderr } = context;
    const streams = { ...(wantsInput ? { stdin } : {}), stdout, stderr };
    if ((await joinStreams({ socket, streams, terminal, detachKeys })) === "detached") {
      return detached(context);
    }
    return (await ended()).StatusCode;
  },
};

/** Docker's words and exit code for a client that has left by the detach keys. */
export function detached({ stderr }: Pick<CliContext, "stderr">): number {
  stderr.write("read escape sequence\n");
  return 1;
}

function checkState(state: { Running: boolean; Paused: boolean; Restarting: boolean }): void {
  const refusal = state.Paused
    ? "cannot attach to a paused container, unpause it first"
    : state.Restarting
      ? "cannot attach to a restarting container, wait until it is running"
      : state.Running
        ? undefined
        : "cannot attach to a stopped container, start it first";
  if (refusal !== undefined) throw cliError("WRONG_STATE", refusal);
}
