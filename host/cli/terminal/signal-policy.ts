/** What signals to dvm mean while a container starts and runs: that depends on how far the container is. */

import { SIGNALS } from "#linux/signal";

/** Signals that a client hands on; those that a terminal or the kernel sends for other reasons are left alone. */
export const FORWARDED = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGTERM",
  "SIGCONT",
] as const satisfies readonly (keyof typeof SIGNALS)[];

/** Signals that ask dvm itself to end. */
const ENDING: ReadonlySet<string> = new Set(["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"]);

/** As many of them as make Docker's client give up on a container that does not end. */
const PATIENCE = 3;

export interface SignalActions {
  /** the container is not running yet, or is being taken down: stop that; `exitCode` is 128 plus the signal */
  readonly interrupt: (exitCode: number) => void;
  /** the same once more: end at once */
  readonly force: (exitCode: number) => void;
  /** the container runs: hand the signal on */
  readonly forward: (signal: number) => void;
  /** it did not help: end the container */
  readonly giveUp: (exitCode: number) => void;
}

export interface SignalPolicy {
  readonly receive: (name: (typeof FORWARDED)[number]) => void;
  /** From now on signals are the container's. */
  readonly containerRuns: (options: {
    /** --sig-proxy */
    readonly proxy: boolean;
    /** whether the container lives on the client's terminal, and SIGHUP says that this is gone */
    readonly onTerminal: boolean;
  }) => void;
  /** From now on they are dvm's again. */
  readonly containerEnded: () => void;
}

export function signalPolicy(actions: SignalActions): SignalPolicy {
  let mode: "dvm" | "proxy" | "no-proxy" = "dvm";
  let endings = 0;
  let hangupEnds = false;
  /** those that came while the process was on its way */
  const early: number[] = [];
  return {
    receive: (name) => {
      const number = SIGNALS[name];
      const exitCode = 128 + number;
      const ends = ENDING.has(name);
      if (ends) endings++;
      if (mode === "proxy") {
        if ((ends && endings >= PATIENCE) || (name === "SIGHUP" && hangupEnds))
          actions.giveUp(exitCode);
        else actions.forward(number);
      } else if (ends && mode === "no-proxy") actions.giveUp(exitCode);
      else if (ends && endings === 1) actions.interrupt(exitCode);
      else if (ends) actions.force(exitCode);
      else if (mode === "dvm") early.push(number);
    },
    containerRuns: ({ proxy, onTerminal }) => {
      mode = proxy ? "proxy" : "no-proxy";
      hangupEnds = onTerminal;
      for (const number of early.splice(0)) if (proxy) actions.forward(number);
    },
    containerEnded: () => {
      mode = "dvm";
      endings = 0;
      early.length = 0;
    },
  };
}
