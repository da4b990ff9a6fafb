/** PID 1 of the guest. */

import { encodeText } from "../container/text.ts";
import type { Engine } from "../syscalls/engine.ts";
import { kernelSyscalls } from "../syscalls/kernel-syscalls.ts";
import type { Syscalls } from "../syscalls/syscalls.ts";
import { Agent } from "./agent.ts";
import { openAgentPort } from "./agent-port.ts";
import { earlyMounts } from "./early-mounts.ts";
import { EventLoop } from "./event-loop.ts";
import { sayLastWords } from "./last-words.ts";
import { handleSignals } from "./signals.ts";
import { Watchdog } from "./watchdog.ts";

declare const engine: Engine;

const CONSOLE = 2;
/** PID 1 that exits makes the kernel panic, with the code on the console. */
const EXIT_FATAL = 70;

function bePid1(sys: Syscalls): never {
  earlyMounts(sys);
  const loop = new EventLoop(sys);
  const agent = new Agent(sys, loop, openAgentPort(sys));
  handleSignals(sys, loop, {
    onChild: (ended) => agent.onChild(ended),
    onPort: () => agent.onPortSignal(),
  });
  const watchdog = new Watchdog(sys);
  agent.beforeLongWork = () => watchdog.rest();
  for (;;) agent.turn(watchdog.tell());
}

function main(): void {
  const sys = kernelSyscalls(engine);
  if (sys.getpid() !== 1) {
    sys.write(
      CONSOLE,
      encodeText("dvm-agent: this is the init of a dvm guest, to be run as process 1\n"),
    );
    sys.exit(EXIT_FATAL);
  }
  try {
    bePid1(sys);
  } catch (error) {
    const words = error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error);
    sayLastWords(sys, `dvm-agent: fatal: ${words}`);
    sys.exit(EXIT_FATAL);
  }
}

main();
