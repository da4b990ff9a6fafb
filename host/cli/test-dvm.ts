/** For tests: calls of bin/dvm as a user makes them, each set with a data root of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { enginePaths } from "../engine/paths.ts";

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
}

/** A user with a data root; disposing of it removes that. */
export class TestUser implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "dvm-vm-test-"));
  readonly #environment: Readonly<Record<string, string>>;

  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.#environment = environment;
  }

  get dataRoot(): string {
    return join(this.folder, "data");
  }

  get environment(): Readonly<Record<string, string | undefined>> {
    return { ...process.env, DVM_DATA_ROOT: this.dataRoot, ...this.#environment };
  }

  /** Starts dvm; its input is empty unless given, and stays open with `null`. */
  start(words: readonly string[], input: string | Uint8Array | null = ""): DvmCall {
    const child = spawn(DVM, words, { env: this.environment });
    child.stdin.on("error", () => {});
    if (input !== null) child.stdin.end(input);
    const [out, err] = [collect(child.stdout), collect(child.stderr)];
    const result = once(child, "close").then(([code, signal]) => ({
      code: code ?? signal,
      out: out(),
      err: err(),
    }));
    return { child, result, output: out };
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

  /** What containers have left: folders, names, VMM processes, mounts. */
  leftovers(): string[] {
    const { runRoot } = enginePaths({}, this.dataRoot);
    return [
      ...(existsSync(runRoot) ? readdirSync(runRoot) : []),
      ...this.files("containers"),
      ...this.files("names"),
      ...processesWith(this.folder),
      ...mountsBeneath(this.folder),
    ];
  }

  [Symbol.dispose](): void {
    const { runRoot } = enginePaths({}, this.dataRoot);
    rmSync(runRoot, { recursive: true, force: true });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits for something that a VM does in its own time. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
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

/** Mount points in a folder. */
function mountsBeneath(folder: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? [])
    .filter((path) => path.startsWith(`${folder}/`));
}

/** Commands of the processes that have `text` in an argument. */
function processesWith(text: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8");
      } catch {
        return "";
      }
    })
    .filter((line) => line.includes(text) && line.includes("qemu"));
}
