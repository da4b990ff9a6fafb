/** The client's side of a process that a daemon runs: raw mode, the terminal's size, signals handed on. */

import { constants } from "node:os";
import type { CliContext } from "../command.ts";
import { enterRawMode } from "./raw-mode.ts";
import { watchSignals } from "./signal-watch.ts";

export interface ProcessSessionOptions {
  readonly context: CliContext;
  /** whether keys go to the process as they are typed */
  readonly raw: boolean;
  /** Hands a signal on; absent: signals are the client's own. */
  readonly forward?: (signal: number) => Promise<unknown>;
  /** Tells the process the size of its terminal; absent: it has none. */
  readonly resize?: (size: { rows: number; columns: number }) => Promise<unknown>;
}

/** Until it is disposed of. The process goes on when the client ends. */
export function processSession(options: ProcessSessionOptions): Disposable {
  const { context, raw, forward, resize } = options;
  using undo = new DisposableStack();
  const leave = (exitCode: number) => {
    undo.dispose();
    process.exit(exitCode);
  };
  const watch = undo.use(
    watchSignals({
      interrupt: leave,
      force: leave,
      giveUp: leave,
      // a process that has just ended gets none: that is no error
      forward: (signal) => void forward?.(signal).catch(() => {}),
    }),
  );
  watch.containerRuns({ proxy: forward !== undefined, onTerminal: raw });
  // nobody reads the output any more
  const lost = () => leave(128 + constants.signals.SIGPIPE);
  context.stdout.once("error", lost);
  undo.defer(() => context.stdout.off("error", lost));
  if (raw) undo.use(enterRawMode(context.stdin));
  if (resize !== undefined) undo.use(followSize(context, resize));
  return undo.move();
}

function followSize(
  { stdout }: CliContext,
  resize: NonNullable<ProcessSessionOptions["resize"]>,
): Disposable {
  const tell = () => {
    const { rows, columns } = stdout;
    if (rows && columns) resize({ rows, columns }).catch(() => {});
  };
  stdout.on("resize", tell);
  tell();
  return { [Symbol.dispose]: () => stdout.off("resize", tell) };
}
