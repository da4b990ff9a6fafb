/** The process that carries a machine's packets as ordinary sockets of the user: passt(1), one for each machine. */

import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { makeBlocking } from "../../sys/blocking.ts";
import { networkError } from "../errors.ts";
import type { PublishedPort } from "../prepared-network.ts";
import { processStart } from "../process-start.ts";
import { callProgram } from "../run-program.ts";
import { descriptorOf } from "./stream-door.ts";

export interface PasstOptions {
  /** private folder of the machine */
  readonly runDirectory: string;
  readonly address: string;
  readonly prefix: number;
  readonly gateway: string;
  /** address in the guest's network whose DNS queries go to the host's own name server */
  readonly nameServer: string;
  /** MAC address of the gateway */
  readonly mac: string;
  /** largest packet, in `bytes` */
  readonly mtu: number;
  readonly ports: readonly PublishedPort[];
  /** whether what is sent to the gateway reaches the host's own loopback services */
  readonly reachesHost?: boolean;
  /** whom it serves, who is no more the caller's then; absent: who connects to its socket */
  readonly connection?: Socket;
}

/** A running passt. */
export interface Passt extends Disposable {
  /** settles when it is no more, and its ports are free */
  readonly gone: () => Promise<void>;
  /** its socket, unless it was given a connection */
  readonly socket: string;
}

/** uid of `nobody`, whom passt turns into when root starts it (passt(1), --runas) */
export const NOBODY = 65_534;
/** its number for a connection that it inherits */
const INHERITED = 3;
/** Longest that the kernel takes to end a process that is killed, and between two looks at it, in `milliseconds`. */
const KILLED_AFTER = 2000;
const LOOK_AGAIN = 2;
const SOCKET = "passt.sock";
const PID_FILE = "passt.pid";
export const INSTALL_PASST =
  "install the package passt; --network none works without it, and --network bridge for root";

/**
 * Starts passt; it listens, or serves, once this returns. It puts itself into the background, into a sandbox (an empty mount
 * namespace, no capabilities, a seccomp filter), and ends with the one VMM that it serves.
 *
 * @throws DvmError `NETWORK_TOOL_MISSING`, `NETWORK_FAILED`
 */
export async function startPasst(options: PasstOptions): Promise<Passt> {
  const { runDirectory, connection } = options;
  const folder = join(runDirectory, "passt");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  if (process.getuid?.() === 0) {
    // The run directory lets nobody through: passt works in its folder, by relative paths.
    chownSync(folder, NOBODY, NOBODY);
    chmodSync(folder, 0o711);
  }
  using given = connection === undefined ? undefined : handedOn(connection);
  const { code, complaints } = await callProgram({
    program: "passt",
    args: passtArguments(options),
    // names the machine to whoever sweeps after a crash
    argv0: join(runDirectory, "passt"),
    cwd: folder,
    ...(given === undefined ? {} : { inherited: given.descriptor }),
    missing: INSTALL_PASST,
  });
  if (code !== 0) throw explain(complaints);
  // The VMM has given up the capability that would let it through to nobody's socket.
  if (connection === undefined && process.getuid?.() === 0) chmodSync(join(folder, SOCKET), 0o666);
  return runningIn(folder);
}

/** A connection for a program that counts on calls that wait; ours is closed afterwards. */
function handedOn(connection: Socket): Disposable & { readonly descriptor: number } {
  const descriptor = descriptorOf(connection);
  makeBlocking(descriptor);
  return { descriptor, [Symbol.dispose]: () => void connection.destroy() };
}

/** One that another process has started, if it is there. */
export function findPasst(runDirectory: string): Passt | undefined {
  const folder = join(runDirectory, "passt");
  return existsSync(join(folder, PID_FILE)) ? runningIn(folder) : undefined;
}

function runningIn(folder: string): Passt {
  const pid = Number(readFileSync(join(folder, PID_FILE), "utf8").trim());
  const started = processStart(pid);
  return {
    socket: join(folder, SOCKET),
    gone: () => waitForEnd(pid, started),
    [Symbol.dispose]: () => end(pid, started),
  };
}

/** Everything after the program's name: a pure function for the test. */
export function passtArguments(options: PasstOptions): string[] {
  return [
    // one client; its end is passt's
    ...(options.connection === undefined
      ? ["--one-off", "--socket", SOCKET]
      : ["--fd", `${INHERITED}`]),
    ...["--stderr", "--pid", PID_FILE],
    // Any interface will do: only its absence would matter, and loopback is always there.
    ...["--ipv4-only", "--interface", "lo"],
    ...["--address", options.address, "--netmask", String(options.prefix)],
    ...["--gateway", options.gateway, "--mac-addr", options.mac, "--mtu", String(options.mtu)],
    // The guest is told its addresses by us, and has no business with the host's own loopback services as a rule.
    ...["--no-dhcp", ...(options.reachesHost ? [] : ["--no-map-gw"])],
    ...["--dns-forward", options.nameServer],
    ...options.ports.flatMap(portArguments),
  ];
}

function portArguments({ hostIp, hostPort, containerPort, protocol }: PublishedPort): string[] {
  const option = protocol === "tcp" ? "--tcp-ports" : "--udp-ports";
  return [option, `${hostIp}/${hostPort}:${containerPort}`];
}

function explain(complaints: string): Error {
  const lines = complaints
    .split("\n")
    .filter((line) => line.trim() !== "" && !/syslog|Don't run as root/.test(line));
  return networkError("NETWORK_FAILED", `passt refused: ${lines.at(-1) ?? "it said nothing"}`);
}

/** Kills passt if it is still the one that was started. */
function end(pid: number, started: string | undefined): void {
  if (started === undefined || processStart(pid) !== started) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** It is no child of ours, that would say when it ends. */
async function waitForEnd(pid: number, started: string | undefined): Promise<void> {
  const deadline = Date.now() + KILLED_AFTER;
  while (started !== undefined && processStart(pid) === started && Date.now() < deadline) {
    await setTimeout(LOOK_AGAIN);
  }
}
