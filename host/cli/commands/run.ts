/** dvm run: create a container, attach to it, start it, wait for its end; or only start it. */

import { RemoteEngine } from "../../api/client/remote-engine.ts";
import type { ClientStreams, ImageProgress, WantedContainer } from "../../api/engine-api.ts";
import { DvmError } from "../../errors.ts";
import type { CliContext, Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { type Cidfile, reserveCidfile } from "../parse/cidfile.ts";
import { parseRun, type RunFlagValues, runCommandFlags } from "../parse-run.ts";
import { progressRenderer } from "../render/progress.ts";
import { tellEnd } from "../render/run-end.ts";
import { transferRenderer } from "../render/transfer.ts";
import { ContainerSession } from "../terminal/container-session.ts";

export const run: Command = {
  usage: "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create and run a new container from an image",
  flags: runCommandFlags,
  run: async (words, context) => {
    const { values, config } = parseRun(words, context.environment);
    const streams = values.detach ? {} : attachedStreams(values, context);
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
    const daemon = await context.openDaemon();
    await using engine = new RemoteEngine(
      daemon,
      (event) => session.onEvent(event),
      context.openDaemon,
    );
    session.engine = engine;
    const { onProgress: onTransfer } = transferRenderer(context.stderr, values.quiet);
    const options = { engine, config, session, cidfile, context, onTransfer };
    const { detach, "detach-keys": detachKeys } = values;
    const exitCode = detach
      ? await startContainer(options)
      : await runContainer({ ...options, streams, detachKeys });
    progress.clear();
    return exitCode;
  },
};

interface RunOptions {
  readonly engine: RemoteEngine;
  readonly config: WantedContainer;
  readonly onTransfer: (progress: ImageProgress) => void;
  readonly session: ContainerSession;
  readonly cidfile: Cidfile;
  readonly context: CliContext;
}

/** A container in the background: its id is all that is said. */
async function startContainer(options: RunOptions): Promise<number> {
  const { engine, config, session, cidfile, context, onTransfer } = options;
  const { signal } = session;
  let id = "";
  try {
    ({ id } = await engine.create({ ...config, stdinOnce: false }, { signal, onTransfer }));
    cidfile.write(id);
    // whoever is told that it does not start can look at it
    context.stdout.write(`${id}\n`);
    await engine.start(id, { signal });
    return 0;
  } catch (error) {
    await takeBack(options, id);
    throw signal.aborted && signal.reason instanceof DvmError ? signal.reason : error;
  } finally {
    session.ended();
  }
}

/** An interrupt after the creation and before the start leaves it to the client: nobody wants the container any more. */
async function takeBack({ engine, session }: RunOptions, id: string): Promise<void> {
  if (!session.signal.aborted || id === "") return;
  try {
    await engine.remove(id, { force: true });
  } catch (error) {
    // the start that was called off has removed it
    if (!(error instanceof DvmError)) throw error;
  }
}

interface AttachedRunOptions extends RunOptions {
  readonly streams: ClientStreams;
  readonly detachKeys: string | undefined;
}

/** The life of the container as its client sees it. @returns the process's exit code */
async function runContainer(options: AttachedRunOptions): Promise<number> {
  const { engine, config, streams, session, cidfile, onTransfer } = options;
  const { signal } = session;
  let id = "";
  try {
    // the process finds its terminal as large as it is here; a start tells later changes
    const { size } = session;
    const sized = config.terminal && size ? { ...config, terminalSize: size } : config;
    ({ id } = await engine.create(sized, { signal, onTransfer }));
    cidfile.write(id);
    // whoever sees nothing of the container is told which it is
    if (streams.stdout === undefined && streams.stderr === undefined) {
      options.context.stdout.write(`${id}\n`);
    }
    session.container = id;
    engine.attach(id, streams, options.detachKeys);
    const ended = engine.wait(id);
    // told by the start
    ended.catch(() => {});
    const { size: now } = session;
    await engine.start(id, { signal, ...(now ? { terminal: now } : {}) });
    session.running();
    const exit = await ended;
    session.ended();
    const { stderr } = options.context;
    if (session.givenUp === undefined) tellEnd(exit, (text) => stderr.write(text));
    return session.givenUp ?? exit.exitCode;
  } catch (error) {
    session.ended();
    await takeBack(options, id);
    throw signal.aborted && signal.reason instanceof DvmError ? signal.reason : error;
  }
}

/** What of the client's own streams the container gets: all of them, its input only with -i, or what -a names. */
function attachedStreams(values: RunFlagValues, context: CliContext): ClientStreams {
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
