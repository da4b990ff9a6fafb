/** For tests: a real dvmd in a folder of its own, and the stock docker client to speak to it. */

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

const ROOT = join(import.meta.dirname, "..", "..", "..");

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export class TestDvmd implements AsyncDisposable {
  readonly folder: string;
  readonly socket: string;
  readonly dataRoot: string;
  #child: ChildProcess | undefined;

  constructor(dataRoot?: string) {
    this.folder = mkdtempSync(join(tmpdir(), "dvm-d-"));
    this.socket = join(this.folder, "d.sock");
    this.dataRoot = dataRoot ?? join(this.folder, "data");
  }

  /** @param onLine gets each line of its log as it is written */
  async start(onLine?: (line: string) => void): Promise<void> {
    rmSync(this.socket, { force: true });
    const words = ["--host", `unix://${this.socket}`, "--data-root", this.dataRoot, "--debug"];
    // a template that the daemon makes by itself, or an edited source, would come in between at any time
    const env = { DVM_TEMPLATE: "off", DVM_UPDATE: "off", ...process.env };
    const child = spawn(join(ROOT, "bin", "dvmd"), words, {
      env,
      stdio: ["ignore", "ignore", onLine === undefined ? "ignore" : "pipe"],
    });
    this.#child = child;
    if (onLine !== undefined && child.stderr) {
      createInterface({ input: child.stderr }).on("line", onLine);
    }
    while (!existsSync(this.socket)) {
      assert.equal(child.exitCode, null, "dvmd ended at its start");
      await delay(20);
    }
  }

  /** As SIGKILL does, at whatever it is. */
  async kill(): Promise<void> {
    const ended = this.ended();
    process.kill(this.pid, "SIGKILL");
    await ended;
  }

  async ended(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      await once(child, "exit");
    }
  }

  get pid(): number {
    return Number(readFileSync(join(this.dataRoot, "dvmd.lock"), "utf8"));
  }

  async docker(words: readonly string[], input?: string): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const env = {
      ...process.env,
      DOCKER_HOST: `unix://${this.socket}`,
      DOCKER_CONFIG: this.folder,
    };
    const options = { env, timeout: 120_000, maxBuffer: 64 * 1024 * 1024 };
    const child = execFile("docker", words, options, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err }),
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
    return promise;
  }

  /** @returns standard output */
  async succeed(...words: string[]): Promise<string> {
    const { code, out, err } = await this.docker(words);
    assert.equal(code, 0, `docker ${words.join(" ")}: ${err}`);
    return out;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (existsSync(this.socket)) {
      const { out } = await this.docker(["ps", "-aq"]);
      const ids = out.split("\n").filter((id) => id !== "");
      if (ids.length > 0) await this.docker(["rm", "-f", ...ids]);
      await this.docker(["network", "prune", "-f"]);
    }
    this.#child?.kill("SIGTERM");
    await this.ended();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A reason to skip, or false. */
export async function noDocker(): Promise<string | false> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  execFile("docker", ["--version"], (error) => resolve(error === null));
  return (await promise) ? false : "there is no docker";
}
