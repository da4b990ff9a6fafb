/**
 * For tests: two hosts in network namespaces of their own, joined by a cable; nothing leaves them. Containers run on
 * the first; the second is the outside, with a web server that tells who asks, and a name server.
 */

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const DVM = join(import.meta.dirname, "..", "..", "bin", "dvm");
/** Addresses for documentation (RFC 5737). */
export const HOST = "198.51.100.1";
export const OUTSIDE = "198.51.100.2";
/** The same of IPv6 (RFC 3849). */
export const HOST6 = "2001:db8:100::1";
export const OUTSIDE6 = "2001:db8:100::2";
/** Further addresses of the second host: public, private, and a cloud's metadata service. */
export const ELSEWHERE = "203.0.113.9";
export const PRIVATE = "10.99.0.1";
export const METADATA = "169.254.169.254";

export interface CallResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A container that runs until it is told to end. */
export interface LabContainer {
  /** Runs a line of shell in it. @returns what it wrote */
  readonly sh: (line: string) => Promise<string>;
  readonly end: () => Promise<CallResult>;
}

export class Lab implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "dvm-lab-"));
  readonly host = `dvmh${process.pid}`;
  readonly outside = `dvmo${process.pid}`;
  readonly #servers: ChildProcess[] = [];
  readonly #containers = new Set<ChildProcess>();

  readonly #uid: number;

  /** @param uid of the user who calls dvm */
  constructor({ uid = 0 }: { readonly uid?: number } = {}) {
    const { host, outside } = this;
    this.#uid = uid;
    chownSync(this.folder, uid, uid);
    for (const name of [host, outside]) ip(`netns add ${name}`);
    ip(`-n ${host} link add e0 type veth peer name e1 netns ${outside}`);
    ip(`-n ${host} addr add ${HOST}/24 dev e0`);
    ip(`-n ${outside} addr add ${OUTSIDE}/24 dev e1`);
    for (const address of [ELSEWHERE, PRIVATE, METADATA]) {
      ip(`-n ${outside} addr add ${address}/32 dev e1`);
    }
    ip(`-n ${host} addr add ${HOST6}/64 dev e0 nodad`);
    ip(`-n ${outside} addr add ${OUTSIDE6}/64 dev e1 nodad`);
    for (const link of ["lo", "e0"]) ip(`-n ${host} link set ${link} up`);
    for (const link of ["lo", "e1"]) ip(`-n ${outside} link set ${link} up`);
    ip(`-n ${host} route add default via ${OUTSIDE}`);
    ip(`-n ${host} route add default via ${OUTSIDE6}`);
    this.#server(outside, WEB_SERVER);
    this.#server(outside, NAME_SERVER);
    writeFileSync(join(this.folder, "resolv.conf"), `nameserver ${OUTSIDE}\n`);
    // a new network namespace has the machine's own settings
    this.inHostSync(["sysctl", "-qw", "net.ipv4.ip_forward=0"]);
    this.inHostSync(["sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647"]);
  }

  /** Calls dvm on the first host. */
  async dvm(words: readonly string[]): Promise<CallResult> {
    return this.#call(this.#startDvm(words, "ignore"));
  }

  /** Starts a container from a shell that is fed line by line. */
  async container(words: readonly string[]): Promise<LabContainer> {
    const child = this.#startDvm(["run", "--rm", "-i", ...words], "pipe");
    this.#containers.add(child);
    child.once("exit", () => this.#containers.delete(child));
    child.stdin?.on("error", () => {});
    let out = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    const result = this.#call(child);
    let asked = 0;
    const sh = async (line: string) => {
      const mark = `=${++asked}=`;
      const from = out.length;
      child.stdin?.write(`${line}\necho ${mark}\n`);
      await until(() => out.includes(`${mark}\n`, from) || child.exitCode !== null);
      if (child.exitCode !== null) throw new Error(`it has ended: ${(await result).err}`);
      return out.slice(from, out.indexOf(`${mark}\n`, from));
    };
    await sh("true");
    return {
      sh,
      end: () => {
        child.stdin?.end();
        return result;
      },
    };
  }

  /** Asks a web server. @returns what it says; empty when it does not */
  curl(from: string, url: string): string {
    try {
      const args = ["netns", "exec", from, "curl", "-s", "-m", "4", url];
      return execFileSync("ip", args).toString();
    } catch {
      return "";
    }
  }

  inHostSync(words: readonly string[]): string {
    return execFileSync("ip", ["netns", "exec", this.host, ...words]).toString();
  }

  inOutsideSync(words: readonly string[]): string {
    return execFileSync("ip", ["netns", "exec", this.outside, ...words]).toString();
  }

  /** What networks have left on the first host, once the daemon has had its moment to clear up. */
  async leftovers(): Promise<string[]> {
    await until(() => this.traces().length === 0).catch(() => {});
    return this.traces();
  }

  /** Devices and tables of ours in the first host's own network namespace; those of other hosts are none of them. */
  traces(): string[] {
    const listed = execFileSync("ip", ["-n", this.host, "-json", "link", "show"]).toString();
    const links = (JSON.parse(listed) as { readonly ifname: string }[]).map(({ ifname }) => ifname);
    const rules = this.inHostSync(["nft", "list", "tables"]).split("\n");
    return [
      // those of machines that wait for a container are no container's
      ...links.filter((name) => /^dv(?!mp)/.test(name)),
      ...rules.filter((name) => /dvm/.test(name)),
    ];
  }

  /** Processes with the lab's folder in their command line. */
  processes(program: RegExp): number[] {
    const pids = execFileSync("ip", ["netns", "pids", this.host]).toString().split("\n");
    return pids.filter((pid) => pid !== "" && program.test(commandLine(pid))).map(Number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = [...this.#containers];
    for (const child of left) child.kill("SIGKILL");
    // sweeps what a failed test has left
    if (left.length > 0) await this.dvm(["ps"]);
    // the daemon that the command line started
    for (const pid of this.processes(/dvmd/)) process.kill(pid, "SIGTERM");
    for (const server of this.#servers) server.kill("SIGKILL");
    for (const name of [this.host, this.outside]) ip(`netns del ${name}`);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #startDvm(words: readonly string[], input: "ignore" | "pipe"): ChildProcess {
    const file = join(this.folder, "resolv.conf");
    // the shell gives way to dvm, which sees the name server of the lab
    const script = `mount --bind ${file} /etc/resolv.conf; exec "$@"`;
    const user = this.#uid === 0 ? [] : asUser(this.#uid);
    const command = ["unshare", "-m", "sh", "-c", script, "sh", ...user, DVM, ...words];
    const home = { HOME: this.folder, XDG_RUNTIME_DIR: this.folder, XDG_CACHE_HOME: this.folder };
    return spawn("ip", ["netns", "exec", this.host, ...command], {
      env: {
        ...process.env,
        ...(this.#uid === 0 ? {} : home),
        DVM_DATA_ROOT: join(this.folder, "data"),
      },
      stdio: [input, "pipe", "pipe"],
    });
  }

  async #call(child: ChildProcess): Promise<CallResult> {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => err.push(chunk));
    const [code] = await once(child, "close");
    return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
  }

  #server(namespace: string, script: string): void {
    const args = ["netns", "exec", namespace, process.execPath, "-e", script];
    this.#servers.push(spawn("ip", args, { stdio: "ignore" }));
  }
}

const WEB_SERVER = `
  require("node:http").createServer((q, a) => a.end(q.socket.remoteAddress.replace("::ffff:", "") + "\\n")).listen(80, "::");
`;
/** Every name has the outside's addresses, but for those that begin with the kind of another one. */
const NAME_SERVER = `
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (q, from) => {
    const end = q.indexOf(0, 12) + 5;
    const type = q.readUInt16BE(end - 4);
    const kind = q.subarray(13, 13 + q[12]).toString();
    const others = { brief: [203, 0, 113, 9], private: [10, 99, 0, 1], metadata: [169, 254, 169, 254] };
    const address = type === 28
      ? Buffer.from("20010db8010000000000000000000002", "hex")
      : Buffer.from(others[kind] ?? [198, 51, 100, 2]);
    const has = type === 1 || (type === 28 && others[kind] === undefined);
    const head = Buffer.concat([q.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0, has ? 1 : 0, 0, 0, 0, 0])]);
    const fixed = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, kind === "brief" ? 1 : 60, 0, address.length]);
    socket.send(Buffer.concat([head, q.subarray(12, end), ...(has ? [fixed, address] : [])]), from.port, from.address);
  });
  socket.bind(53, "${OUTSIDE}");
`;

/** Empty for a process that has just ended. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Whether dvm is where a user other than root can run it. */
export function isForUser(uid: number): boolean {
  const [program = "", ...words] = asUser(uid);
  return spawnSync(program, [...words, "test", "-x", DVM]).status === 0;
}

function asUser(uid: number): string[] {
  return ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
}

/** Waits for something that a VM does in its own time. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 1200) throw new Error("it never came");
    await setTimeout(50);
  }
}

function ip(words: string): void {
  execFileSync("ip", words.split(" "));
}
