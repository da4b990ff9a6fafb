/** The streams of a process: pipes, or a pseudo terminal, with one end in the agent. */

import { F_SETFL, F_SETPIPE_SZ, O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR } from "../linux/fcntl.ts";
import type { ProcessSpec } from "../protocol/container-spec.ts";
import { MAX_DATA_PAYLOAD } from "../protocol/limits.ts";
import type { Fd, Syscalls, WindowSize } from "../syscalls/syscalls.ts";

/** The child's ends. */
export interface ChildStdio {
  /** what becomes descriptors 0, 1 and 2 */
  readonly fds: readonly [Fd, Fd, Fd];
  /** which of them were made for this process and so may change their owner */
  readonly owned: readonly [boolean, boolean, boolean];
  /** number of the pseudo terminal in the container's devpts, when there is one */
  readonly terminal: number | undefined;
}

/** The agent's ends, non-blocking and close-on-exec; the agent closes them. */
export interface AgentStdio {
  /** to write the process's input to */
  readonly stdin: Fd | undefined;
  /** to read the process's output from */
  readonly stdout: Fd | undefined;
  readonly stderr: Fd | undefined;
  /** master of the terminal, which takes the input and gives all output */
  readonly terminal: Fd | undefined;
}

export interface Stdio {
  readonly child: ChildStdio;
  readonly agent: AgentStdio;
  /** Closes the child's ends, once the child has its own. */
  closeChild(): void;
  /** Closes everything, when there is to be no child. */
  closeAll(): void;
}

/**
 * What the process may write before the agent has to run, in `bytes`: where the processor is emulated, going from
 * one address space to another and back takes longer than moving a usual pipe's content.
 */
const OUTPUT_PIPE = MAX_DATA_PAYLOAD;

/** What is closed in the end. */
type Opened = { readonly child: Fd[]; readonly agent: Fd[] };

/** Opens the streams that `spec` asks for; `pts` is the container's devpts as the agent sees it. */
export function openStdio(
  sys: Syscalls,
  spec: Pick<ProcessSpec, "terminal" | "stdio">,
  pts: string,
): Stdio {
  const opened: Opened = { child: [], agent: [] };
  const close = (fds: readonly Fd[]): void => {
    for (const fd of fds) sys.close(fd);
  };
  try {
    const ends =
      spec.terminal === undefined
        ? openPipes(sys, spec.stdio, opened)
        : openTerminal(sys, { size: spec.terminal, pts }, opened);
    return {
      ...ends,
      closeChild: () => close(opened.child),
      closeAll: () => close([...opened.child, ...opened.agent]),
    };
  } catch (error) {
    close([...opened.child, ...opened.agent]);
    throw error;
  }
}

function openTerminal(
  sys: Syscalls,
  { size, pts }: { readonly size: WindowSize; readonly pts: string },
  opened: Opened,
): Pick<Stdio, "child" | "agent"> {
  const { master, number } = sys.openPty(`${pts}/ptmx`);
  opened.agent.push(master);
  sys.setWindowSize(master, size);
  const slave = sys.open(`${pts}/${number}`, O_RDWR | O_NOCTTY | O_CLOEXEC);
  opened.child.push(slave);
  return {
    child: { fds: [slave, slave, slave], owned: [true, true, true], terminal: number },
    agent: { stdin: undefined, stdout: undefined, stderr: undefined, terminal: master },
  };
}

function openPipes(
  sys: Syscalls,
  wanted: ProcessSpec["stdio"],
  opened: Opened,
): Pick<Stdio, "child" | "agent"> {
  const [stdin, stdout, stderr] = [
    wanted.stdin === undefined ? undefined : openPipe(sys, "writer", opened),
    wanted.stdout === undefined ? undefined : openPipe(sys, "reader", opened),
    wanted.stderr === undefined ? undefined : openPipe(sys, "reader", opened),
  ];
  const nothing = sys.open("/dev/null", O_RDWR | O_CLOEXEC);
  opened.child.push(nothing);
  return {
    child: {
      fds: [stdin?.child ?? nothing, stdout?.child ?? nothing, stderr?.child ?? nothing],
      owned: [stdin !== undefined, stdout !== undefined, stderr !== undefined],
      terminal: undefined,
    },
    agent: {
      stdin: stdin?.agent,
      stdout: stdout?.agent,
      stderr: stderr?.agent,
      terminal: undefined,
    },
  };
}

/** A pipe of which the agent has the `mine` end. */
function openPipe(
  sys: Syscalls,
  mine: "reader" | "writer",
  opened: Opened,
): { child: Fd; agent: Fd } {
  const pipe = sys.pipe2(O_CLOEXEC);
  const agent = pipe[mine];
  const child = mine === "reader" ? pipe.writer : pipe.reader;
  opened.agent.push(agent);
  opened.child.push(child);
  // Non-blocking is a property of the open end: the process's own end stays as programs expect it.
  sys.fcntl(agent, F_SETFL, O_NONBLOCK);
  if (mine === "reader") sys.fcntl(agent, F_SETPIPE_SZ, OUTPUT_PIPE);
  return { child, agent };
}
