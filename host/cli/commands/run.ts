/** dvm run: create a container, attach to it, start it, wait for its end. */

import { rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import type { AttachedStreams, ContainerConfig, EngineApi } from "../../api/engine-api.ts";
import { DvmError } from "../../errors.ts";
import { printableText } from "../../printable-text.ts";
import type { CliContext, Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { fileError } from "../parse/file-error.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { progressRenderer } from "../render/progress.ts";
import { runConfig } from "../run-config.ts";
import { allRunFlags, type RunValues, runFlags, unsupportedNames } from "../run-flags.ts";
import { ContainerSession } from "../terminal/container-session.ts";

export const run: Command = {
  usage: "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create and run a new container from an image",
  flags: runFlags,
  run: async (words, context) => {
    const { values, config } = parseRun(words, context);
    const streams = attachedStreams(values, context);
    using cidfile = reserveCidfile(values.cidfile);
    const progress = progressRenderer({
      stderr: context.stderr,
      verbose: values.verbose,
      quiet: values.quiet,
    });
    using session = new ContainerSession({
      context,
      progress,
      proxySignals: values["sig-proxy"],
      terminal: values.tty && streams.stdin !== undefined,
    });
    await using engine = await context.openEngine((event) => session.onEvent(event));
    session.engine = engine;
    const exitCode = await runContainer({ engine, config, streams, session, cidfile, context });
    progress.clear();
    return exitCode;
  },
};

/** Exit code of a process that SIGKILL ended. */
const KILLED = 128 + constants.signals.SIGKILL;

interface RunOptions {
  readonly engine: EngineApi;
  readonly config: ContainerConfig;
  readonly streams: AttachedStreams;
  readonly session: ContainerSession;
  readonly cidfile: Cidfile;
  readonly context: CliContext;
}

/** The life of the container as its client sees it. @returns the process's exit code */
async function runContainer(options: RunOptions): Promise<number> {
  const { engine, config, streams, session, cidfile } = options;
  const { signal } = session;
  try {
    const { id } = await engine.create(config, { signal });
    cidfile.write(id);
    session.container = id;
    engine.attach(id, streams);
    const ended = engine.wait(id);
    try {
      const { size } = session;
      await engine.start(id, { signal, ...(size ? { terminal: size } : {}) });
    } catch (error) {
      // nothing ever ran in it, and its user has turned away
      if (signal.aborted && !config.autoRemove) await engine.remove(id, { force: true });
      throw error;
    }
    session.running();
    const exit = await ended;
    session.ended();
    if (exit.error !== undefined && session.givenUp === undefined) {
      options.context.stderr.write(`dvm: ${printableText(exit.error)}\n`);
    }
    if (exit.oomKilled && exit.exitCode === KILLED && session.givenUp === undefined) {
      options.context.stderr.write(
        "dvm: the container ran out of memory\n  hint: give it more with --memory\n",
      );
    }
    return session.givenUp ?? exit.exitCode;
  } catch (error) {
    session.ended();
    throw signal.aborted && signal.reason instanceof DvmError ? signal.reason : error;
  }
}

function parseRun(
  words: readonly string[],
  context: CliContext,
): { readonly values: RunValues; readonly config: ContainerConfig } {
  const { values, given, args } = parseFlags(allRunFlags, words, { interspersed: false });
  const [image, ...command] = args;
  if (image === undefined) throw cliError("ARGUMENTS", "'dvm run' requires at least 1 argument");
  for (const name of given) {
    if (!unsupportedNames.has(name)) continue;
    throw cliError("UNSUPPORTED", `--${name} is not supported yet`, {
      hint: "dvm run --help lists what is",
    });
  }
  if (values.detach && values.attach.length > 0) {
    throw cliError("ARGUMENTS", "conflicting options: cannot specify both --attach and --detach");
  }
  if (values.detach) {
    throw cliError("UNSUPPORTED", "--detach needs dvmd, which is not there yet", {
      hint: "leave out -d, and put dvm itself in the background with &",
    });
  }
  const { environment } = context;
  return { values, config: runConfig({ values, image, command, environment }) };
}

/** What of the client's own streams the container gets: all of them, its input only with -i, or what -a names. */
function attachedStreams(values: RunValues, context: CliContext): AttachedStreams {
  const chosen = new Set(values.attach);
  const all = chosen.size === 0;
  const wantsInput = values.interactive && (all || chosen.has("stdin"));
  if (values.tty && wantsInput && context.stdin.isTTY !== true) {
    throw cliError("NOT_A_TERMINAL", "the input device is not a TTY");
  }
  return {
    ...(wantsInput ? { stdin: context.stdin } : {}),
    ...(all || chosen.has("stdout") ? { stdout: context.stdout } : {}),
    ...(all || chosen.has("stderr") ? { stderr: context.stderr } : {}),
  };
}

interface Cidfile extends Disposable {
  readonly write: (id: string) => void;
}

/** --cidfile: the file must not be there before, and is not there after when no container was made. */
function reserveCidfile(path: string | undefined): Cidfile {
  if (path === undefined) return { write: () => {}, [Symbol.dispose]: () => {} };
  let written = false;
  try {
    writeFileSync(path, "", { flag: "wx", mode: 0o644 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw fileError(path, error);
    throw cliError(
      "CONFLICT",
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
  }
  return {
    write: (id) => {
      writeFileSync(path, id);
      written = true;
    },
    [Symbol.dispose]() {
      if (!written) rmSync(path, { force: true });
    },
  };
}
