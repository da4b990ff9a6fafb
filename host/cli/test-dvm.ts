/** For tests: calls of bin/dvm as a user makes them, each set with a data root of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { daemonPlaces } from "../api/server/daemon-places.ts";
import { isAlive, LOCK_NAME, lockHolder } from "../api/server/lock-holder.ts";
import { enginePaths } from "../engine/paths.ts";
import { findVmmProcesses } from "../engine/process-identity.ts";

export const DVM = join(import.meta.dirname, "..", "..", "bin", "dvm");

export interface DvmResult {
  /** exit code, or the name of the signal */
  readonly code: number | string;
  readonly out: string;
  readonly err: string;
}

export interface DvmCall {
  readonly child: ChildProcess;
  readonly result: Promise<DvmResult>;
  /** what it has written to its standard output so far */
  readonly output: () => string;
  /** settles when it has written `text`, to either of its outputs; rejects when it ends without */
  readonly says: (text: string) => Promise<void>;
}

/** A user with a data root and a daemon of its own; disposing of it ends and removes both. */
export class TestUser implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "dvm-vm-test-"));
  readonly #environment: Readonly<Record<string, string>>;
  /** what a test that failed halfway has left running */
  readonly #running = new Set<ChildProcess>();

  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.#environment = environment;
  }

  get dataRoot(): string {
    return join(this.folder, "data");
  }

  get environment(): Readonly<Record<string, string | undefined>> {
    // a template that the daemon makes by itself, or an edited source, would come in between at any time
    const defaults = { DVM_TEMPLATE: "off", DVM_UPDATE: "off" };
    return { ...defaults, ...process.env, DVM_DATA_ROOT: this.dataRoot, ...this.#environment };
  }

  /** Starts dvm; its input is empty unless given, and stays open with `null`. */
  start(words: readonly string[], input: string | Uint8Array | null = ""): DvmCall {
    const child = spawn(DVM, words, { env: this.environment });
    this.#running.add(child);
    child.once("close", () => this.#running.delete(child));
    child.stdin.on("error", () => {});
    if (input !== null) child.stdin.end(input);
    const [out, err] = [collect(child.stdout), collect(child.stderr)];
    const result = once(child, "close").then(([code, signal]) => ({
      code: code ?? signal,
      out: out(),
      err: err(),
    }));
    const says = (text: string) =>
      until(`${text} of ${words.join(" ").slice(0, 200)}`, () => {
        if (`${out()}\n${err()}`.includes(text)) return true;
        if (this.#running.has(child)) return false;
        throw new Error(`dvm ended before it said ${text}: ${out()}${err()}`);
      });
    return { child, result, output: out, says };
  }

  /** Runs a line of shell, in which "$DVM" is dvm: for redirections that a parent process cannot make. */
  async shell(line: string): Promise<DvmResult> {
    const child = spawn("bash", ["-c", line], {
      env: { ...this.environment, DVM },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err] = [collect(child.stdout), collect(child.stderr)];
    const [code, signal] = await once(child, "close");
    return { code: code ?? signal, out: out(), err: err() };
  }

  /** Calls dvm and waits for its end. */
  dvm(words: readonly string[], input?: string | Uint8Array): Promise<DvmResult> {
    return this.start(words, input).result;
  }

  /** Names in a folder of the data root. */
  files(folder: string): string[] {
    const path = join(this.dataRoot, folder);
    return existsSync(path) ? readdirSync(path) : [];
  }

  /** What containers have left: folders, names, machines and what serves them, mounts. */
  leftovers(): string[] {
    const { runRoot } = enginePaths({}, this.dataRoot);
    return [
      ...(existsSync(runRoot) ? readdirSync(runRoot) : []),
      ...this.files("containers"),
      ...this.files("names"),
      // a machine of QEMU's names its disks, one of our own its run directory
      ...[this.folder, runRoot].flatMap((path) =>
        findVmmProcesses(`${path}/`).map(({ pid }) => `process ${pid}`),
      ),
      ...mountsBeneath(this.folder),
    ];
  }

  /** process id of its daemon; absent: it has none */
  get daemon(): number | undefined {
    const lock = join(this.dataRoot, LOCK_NAME);
    const pid = existsSync(lock) ? lockHolder(lock) : undefined;
    return pid !== undefined && isAlive(pid) && commandOf(pid).includes(this.dataRoot)
      ? pid
      : undefined;
  }

  [Symbol.dispose](): void {
    for (const child of this.#running) child.kill("SIGKILL");
    const { runRoot, socket } = daemonPlaces({ dataRoot: this.dataRoot }, {});
    const { daemon } = this;
    if (daemon !== undefined) process.kill(daemon, "SIGKILL");
    for (const path of [this.folder, runRoot]) {
      for (const { pid } of findVmmProcesses(`${path}/`)) process.kill(pid, "SIGKILL");
    }
    for (const path of [runRoot, socket, `${socket}.lock`, this.folder]) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

/** Waits for something that a VM does in its own time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  for (let turns = 0; !(await condition()); turns++) {
    if (turns > 1200) throw new Error(`${what} never came`);
    await setTimeout(50);
  }
}

/** Gathers what a stream brings. @returns what it has brought so far */
function collect(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Mount points in a folder. */
function mountsBeneath(folder: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? [])
    .filter((path) => path.startsWith(`${folder}/`));
}
