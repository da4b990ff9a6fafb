/** For tests: calls of bin/dvm as a user makes them, each set with a data root of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    const result = once(child, "close").then(([code, signal]) => ({
      code: code ?? signal,
      out: Buffer.concat(out).toString(),
      err: Buffer.concat(err).toString(),
    }));
    return { child, result, output: () => Buffer.concat(out).toString() };
  }

  /** Calls dvm and waits for its end. */
  dvm(words: readonly string[], input?: string | Uint8Array): Promise<DvmResult> {
    return this.start(words, input).result;
  }

  /** What containers have left: folders, names, VMM processes. */
  leftovers(): string[] {
    const { runRoot } = enginePaths({}, this.dataRoot);
    const folders = [runRoot, join(this.dataRoot, "containers"), join(this.dataRoot, "names")];
    return [
      ...folders.flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : [])),
      ...processesWith(this.folder),
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
