/**
 * The server of what is shared with a machine: virtiofsd, which sees that and nothing else.
 *
 * It runs in a mount namespace of its own, in which an empty folder of the run directory is covered by a tmpfs; in
 * that, what is shared is bound under its name, read-only where it is to be: there the host's kernel refuses writes,
 * whatever the guest believes. virtiofsd then makes further namespaces, takes that folder as its root (pivot_root),
 * gives up the capabilities that it does not need and loads its seccomp filter: no link and no `..` leads out, since
 * there is nothing outside. A single file is shared without those beside it.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { constants, mkdirSync, statSync } from "node:fs";
import { Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { listenUnix } from "../../sys/unix-socket.ts";
import { VmmError } from "../errors.ts";
import type { ShareConfig } from "../hypervisor.ts";
import { findVirtiofsd } from "./find-virtiofsd.ts";
import { idMapArguments } from "./id-map.ts";
import type { MachineServer } from "./qemu-machine.ts";
import { shareSocket } from "./share-arguments.ts";

export interface VirtiofsdOptions {
  readonly shares: readonly ShareConfig[];
  readonly runDirectory: string;
  /** whether it outlives us: it ends with its QEMU then */
  readonly detached: boolean;
}

/** Kept of what it writes on its standard error, in `characters`. */
const MAX_STDERR = 2048;
/** From the end of its connection to its own at most, in `milliseconds`. */
const LAST_WORDS = 100;
/** From the end of QEMU to its own at most, in `milliseconds`. */
const ENDING = 500;
/** What it inherits beside its standard streams. */
const LISTENER_FD = 3;

/**
 * Run by sh in the new mount namespace. Arguments: the folder to cover, the parent that must live or 0, for each share
 * its name, `ro` or `rw`, and its path, then `--` and the server with its arguments. Mounts below a folder are bound
 * too, and read-only with it. The names in mountinfo are escaped as those of printf are (proc_pid_mountinfo(5)).
 */
const BIND_AND_SERVE = `
set -e
to=$1 parent=$2
shift 2
[ "$parent" = 0 ] || [ "$parent" = "$PPID" ]
mount -t tmpfs -o size=1m,mode=755,nosuid,nodev dvm "$to"
while [ "$1" != -- ]; do
  point=$to/$1 access=$2 from=$3
  shift 3
  if [ -d "$from" ]; then mkdir "$point"; else : > "$point"; fi
  mount --rbind "$from" "$point"
  [ "$access" = rw ] || while read -r _ _ _ _ below _; do
    below=$(printf "$(printf %s "$below" | sed s/%/%%/g)")
    case $below in "$point"|"$point"/*) mount -o remount,bind,ro "$below" ;; esac
  done < /proc/self/mountinfo
done
shift
mount -o remount,bind,ro "$to"
ulimit -n "$(ulimit -Hn)"
exec "$@"
`;

export class Virtiofsd implements MachineServer, AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #failed = Promise.withResolvers<VmmError>();
  #stderr = "";
  #over = false;

  /**
   * Starts it; its socket is there at once, and it serves whoever connects first.
   *
   * @throws {VmmError} VMM_SHARE_FAILED for a folder that is not there, or without virtiofsd
   */
  static start({ shares, runDirectory, detached }: VirtiofsdOptions): Virtiofsd {
    const mountPoint = join(runDirectory, "shares");
    const server = [binary(), `--fd=${LISTENER_FD}`, ...serverArguments(mountPoint)];
    const triples = shares.flatMap((share) => shareWords(share));
    mkdirSync(mountPoint, { mode: 0o700 });
    using listener = listenAt(shareSocket(runDirectory));
    const parent = detached ? "0" : `${process.pid}`;
    const script = ["/bin/sh", "-c", BIND_AND_SERVE, "sh", mountPoint, parent, ...triples, "--"];
    const end = detached ? [] : ["setpriv", "--pdeathsig", "KILL", "--"];
    const namespaces = ["--mount", "--propagation", "private", ...idMapArguments()];
    const child = spawn("unshare", [...namespaces, "--", ...end, ...script, ...server], {
      cwd: "/",
      detached: true,
      env: { PATH: systemPath() },
      stdio: ["ignore", "ignore", "pipe", listener.number],
    });
    return new Virtiofsd(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_STDERR);
    });
    // A machine that is over lets its server go, which ends in good order.
    child.once("error", (error) => this.#fail(error.message));
    child.once("close", (code, signal) => {
      if (code !== 0) this.#fail(`virtiofsd ended by ${signal ?? `status ${code}`}`);
    });
    // one that runs on, with a detached machine, keeps us from nothing
    child.unref();
    if (child.stderr instanceof Socket) child.stderr.unref();
  }

  get failed(): Promise<VmmError> {
    return this.#failed.promise;
  }

  failure(): Promise<VmmError | undefined> {
    return Promise.race([this.#failed.promise, setTimeout(LAST_WORDS, undefined)]);
  }

  /** It ends with its QEMU, and its own child with it; one that nobody came to is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    const late = new AbortController();
    const timer = setTimeout(ENDING, undefined, late).catch(() => {});
    await Promise.race([ended(this.#child), timer]);
    late.abort();
    this.#child.kill("SIGKILL");
    await ended(this.#child);
  }

  #fail(how: string): void {
    if (this.#over) return;
    const said = this.#stderr.trim().split("\n")[0] || how;
    const isDenied = /operation not permitted/i.test(said);
    const hint = "it needs root, or user namespaces: sysctl user.max_user_namespaces";
    this.#failed.resolve(
      new VmmError("VMM_SHARE_FAILED", `cannot share folders: ${said}`, isDenied ? { hint } : {}),
    );
  }
}

/**
 * Every call of the guest is answered by the thread that took it: a pool costs two hand-overs for each. Times and
 * attributes are kept by the guest for a second, data until the file is opened again and was changed. No device
 * nodes: a folder of the host is no place for a guest to make some.
 */
function serverArguments(source: string): string[] {
  const options = [
    `source=${source.replaceAll(/[\\,]/g, "\\$&")}`,
    "sandbox=namespace",
    "cache=auto",
    "xattr",
    "announce_submounts",
    "allow_direct_io",
    "modcaps=-mknod",
    "log_level=err",
  ];
  // Root's may have as many open files as it likes; for anyone else the limit is what it is.
  const files = process.getuid?.() === 0 ? [] : ["--rlimit-nofile=0"];
  return ["--thread-pool-size=0", ...files, ...options.flatMap((option) => ["-o", option])];
}

function shareWords({ name, path, readOnly }: ShareConfig): string[] {
  if (!/^[A-Za-z0-9][A-Za-z0-9.-]{0,35}$/.test(name)) {
    throw new VmmError("VMM_CONFIG_INVALID", `share name ${JSON.stringify(name)} is not valid`);
  }
  try {
    statSync(path);
  } catch (cause) {
    throw new VmmError("VMM_SHARE_FAILED", `cannot share ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
  return [name, readOnly ? "ro" : "rw", path];
}

/** Root's programs, which users other than root seldom have in their path. */
function systemPath(): string {
  return `${process.env.PATH ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`;
}

function binary(): string {
  const path = findVirtiofsd();
  if (path !== undefined) return path;
  throw new VmmError("VMM_SHARE_FAILED", "virtiofsd, which serves shared folders, is not there", {
    hint: "apt-get install qemu-system-common (Debian 12), or virtiofsd",
  });
}

/** By way of the folder's descriptor: a socket's path is short, a folder's is not. */
function listenAt(path: string): FileDescriptor {
  using folder = FileDescriptor.open(dirname(path), constants.O_DIRECTORY);
  return listenUnix(`/proc/self/fd/${folder.number}/${basename(path)}`, { blocking: true });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve();
  }
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
