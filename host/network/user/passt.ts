/** The process that carries a machine's packets as ordinary sockets of the user: passt(1), one for each machine. */

import { chmodSync, chownSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { networkError } from "../errors.ts";
import type { PublishedPort } from "../prepared-network.ts";
import { callProgram } from "../run-program.ts";

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
}

/** A running passt. */
export interface Passt extends Disposable {
  /** socket that the VMM connects to */
  readonly socket: string;
}

/** uid of `nobody`, whom passt turns into when root starts it (passt(1), --runas) */
const NOBODY = 65_534;
const SOCKET = "passt.sock";
const PID_FILE = "passt.pid";
export const INSTALL_PASST =
  "install the package passt; --network none works without it, and --network bridge for root";

/**
 * Starts passt; it listens once this returns. It puts itself into the background, into a sandbox (an empty mount
 * namespace, no capabilities, a seccomp filter), and ends with the one VMM that it serves.
 *
 * @throws DvmError `NETWORK_TOOL_MISSING`, `NETWORK_FAILED`
 */
export async function startPasst(options: PasstOptions): Promise<Passt> {
  const folder = join(options.runDirectory, "passt");
  mkdirSync(folder, { mode: 0o700 });
  if (process.getuid?.() === 0) {
    // The run directory lets nobody through: passt works in its folder, by relative paths.
    chownSync(folder, NOBODY, NOBODY);
    chmodSync(folder, 0o711);
  }
  const { code, complaints } = await callProgram({
    program: "passt",
    args: passtArguments(options),
    // names the machine to whoever sweeps after a crash
    argv0: join(options.runDirectory, "passt"),
    cwd: folder,
    missing: INSTALL_PASST,
  });
  if (code !== 0) throw explain(complaints);
  const pid = Number(readFileSync(join(folder, PID_FILE), "utf8").trim());
  const started = startTime(pid);
  const socket = join(folder, SOCKET);
  // The VMM has given up the capability that would let it through to nobody's socket.
  if (process.getuid?.() === 0) chmodSync(socket, 0o666);
  return { socket, [Symbol.dispose]: () => end(pid, started) };
}

/** Everything after the program's name: a pure function for the test. */
export function passtArguments(options: PasstOptions): string[] {
  return [
    // one client; its end is passt's
    ...["--one-off", "--stderr", "--socket", SOCKET, "--pid", PID_FILE],
    // Any interface will do: only its absence would matter, and loopback is always there.
    ...["--ipv4-only", "--interface", "lo"],
    ...["--address", options.address, "--netmask", String(options.prefix)],
    ...["--gateway", options.gateway, "--mac-addr", options.mac, "--mtu", String(options.mtu)],
    // The guest is told its addresses by us, and has no business with the host's own loopback services.
    ...["--no-dhcp", "--no-map-gw"],
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
  if (started === undefined || startTime(pid) !== started) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Start in clock ticks since boot (proc(5), /proc/PID/stat, field 22), which no later process of the number has. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // the second field is the name in parentheses and may hold anything
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
