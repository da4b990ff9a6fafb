/** QEMU as a process that outlives us: its channels are sockets in the run directory, which a later process finds. */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { peerCredentials } from "../../sys/peer-credentials.ts";
import { connectAgentPort } from "../agent-connection.ts";
import { VmmError } from "../errors.ts";
import { type JailEntry, jailed } from "../jail/jail.ts";
import { AGENT_SOCKET, CONSOLE_SOCKET, QMP_SOCKET } from "./qemu-arguments.ts";
import { endOf, type QemuLink, spawned } from "./qemu-process.ts";
import { PRIVATE_MEMORY } from "./template-arguments.ts";

/** What a machine that is not detached has as the descriptors before a template's. */
const UNUSED_CHANNELS = ["ignore", "ignore", "ignore"] as const;

/** Between two looks whether QEMU listens yet, or has ended, in `milliseconds`. */
const LOOK_AGAIN = 4;

/**
 * Starts QEMU in a session of its own, in a jail with its own files, and connects to it.
 *
 * @throws {VmmError} VMM_SPAWN_FAILED
 */
export async function spawnDetachedQemu(options: {
  readonly binary: string;
  readonly args: readonly string[];
  readonly runDirectory: string;
  /** the files that it finds */
  readonly entries: readonly JailEntry[];
  /** descriptors that it inherits, from TEMPLATE_STATE_FD on; borrowed until it is spawned */
  readonly template?: readonly number[];
}): Promise<QemuLink> {
  const { binary, args, entries, template = [] } = options;
  const [program, ...rest] = jailed({
    command: [binary, ...args],
    entries,
    outlivesUs: true,
    ...(template.length > 0 && { preload: PRIVATE_MEMORY }),
  });
  const child = spawn(program, rest, {
    cwd: "/",
    detached: true,
    env: { PATH: process.env.PATH },
    stdio: [
      ...(["ignore", "ignore", "pipe"] as const),
      ...(template.length === 0 ? [] : UNUSED_CHANNELS),
      ...template,
    ],
  });
  const pid = await spawned(child);
  let complaints = "";
  child.stderr?.on("data", (text: Buffer) => {
    complaints = (complaints + text).slice(0, 1000);
  });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  try {
    const { qmp, console, agent } = await connectAll(options.runDirectory, () => !hasEnded());
    const kill = () => void child.kill("SIGKILL");
    return { pid, qmp, console, agent, ended: endOf(child, console), kill };
  } catch (cause) {
    child.kill("SIGKILL");
    throw new VmmError("VMM_SPAWN_FAILED", `QEMU ended at once: ${complaints.trim()}`, { cause });
  }
}

/**
 * Connects to a QEMU that another process has started.
 *
 * @throws {VmmError} VMM_GONE
 */
export async function adoptQemu(vm: {
  readonly id: string;
  readonly runDirectory: string;
}): Promise<QemuLink> {
  try {
    const { qmp, console, agent } = await connectAll(vm.runDirectory, () => false);
    const pid = pidOfPeer(qmp);
    const started = startTime(pid);
    const lives = () => started !== undefined && startTime(pid) === started;
    const kill = () => {
      if (lives()) process.kill(pid, "SIGKILL");
    };
    return { pid, qmp, console, agent, ended: endOfStranger(qmp, lives), kill };
  } catch (cause) {
    throw new VmmError("VMM_GONE", `the virtual machine ${vm.id} is no more`, { cause });
  }
}

interface Channels {
  readonly qmp: Socket;
  readonly console: Socket;
  readonly agent: Socket;
}

/** The console first: what is written on it before is lost. */
async function connectAll(folder: string, mayCome: () => boolean): Promise<Channels> {
  const opened: Socket[] = [];
  try {
    for (const name of [CONSOLE_SOCKET, QMP_SOCKET, AGENT_SOCKET]) {
      opened.push(await connectWhenThere(join(folder, name), mayCome));
    }
  } catch (error) {
    for (const socket of opened) socket.destroy();
    throw error;
  }
  const [console, qmp, agent] = opened;
  if (!console || !qmp || !agent) throw new TypeError("a channel is missing");
  return { console, qmp, agent };
}

async function connectWhenThere(path: string, mayCome: () => boolean): Promise<Socket> {
  for (;;) {
    try {
      return await connect(path);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      if (!["ENOENT", "ECONNREFUSED"].includes(code) || !mayCome()) throw error;
    }
    await setTimeout(LOOK_AGAIN);
  }
}

function connect(path: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = path.endsWith(AGENT_SOCKET) ? connectAgentPort(path) : createConnection(path);
  socket.once("error", reject);
  socket.once("connect", () => {
    socket.off("error", reject);
    // A reset is an end to us: what ended the process is told by its exit.
    socket.on("error", () => {});
    resolve(socket);
  });
  return promise;
}

/** Whoever listens on the socket; Node has its descriptor on the handle only. */
function pidOfPeer(socket: Socket): number {
  const { _handle } = socket as { readonly _handle?: { readonly fd?: unknown } };
  const fd = _handle?.fd;
  if (typeof fd !== "number" || fd < 0) throw new TypeError("a connection without a descriptor");
  return peerCredentials(fd).pid;
}

/** QEMU closes its sockets when it ends; that it has ended is seen in /proc. */
async function endOfStranger(qmp: Socket, lives: () => boolean): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<void>();
  qmp.once("close", () => resolve());
  await promise;
  while (lives()) await setTimeout(LOOK_AGAIN);
}

/** Start of a process that is no zombie, in clock ticks since boot (proc(5), /proc/PID/stat, field 22). */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // the second field is the name in parentheses and may hold anything
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
