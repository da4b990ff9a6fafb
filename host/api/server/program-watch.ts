/**
 * Whether dvm was updated under a daemon that runs: its program, its sources, or the kernel and agent that it gives to
 * machines are other files than at its start. Such a daemon makes way for a new one, which takes its machines over.
 */

import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setInterval } from "node:timers/promises";
import { artifactPaths, PROJECT_ROOT } from "../../engine/artifacts.ts";
import type { ProgramState } from "./program-header.ts";

/** Between two looks of a daemon that nobody is connected to, in `milliseconds`. */
const INTERVAL = 30_000;
/** What the daemon is made from. */
const SOURCES = ["host", "guest-agent/protocol", "guest-agent/linux"];
const NO_SOURCE = /(^cli\/)|(\.test\.ts$)|((^|\/)test-[^/]*$)/;

export class ProgramWatch {
  /** settles when a new daemon is to take this one's place */
  readonly renewal: Promise<void>;
  readonly #renew: () => void;
  readonly #isBundle: boolean;
  readonly #look: (thorough: boolean) => string;
  readonly #marks: { readonly quick: string; readonly thorough: string };
  #renewing = false;

  /** @param options `program`: the file that Node was started with */
  constructor({ program = process.argv[1] ?? "", root = PROJECT_ROOT } = {}) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.renewal = promise;
    this.#renew = resolve;
    this.#isBundle = !program.endsWith(".ts");
    const { kernel, initramfs } = artifactPaths();
    const parts = [program, kernel, initramfs];
    this.#look = (thorough) => markOf(thorough ? [...parts, ...sourcesOf(root)] : parts);
    this.#marks = { quick: this.#look(false), thorough: this.#look(true) };
  }

  /** @param mayRenew whether it may make way, for the client that asks is alone and asks for it */
  tell(mayRenew: boolean): ProgramState {
    if (this.#renewing) return "renewing";
    // hundreds of sources take milliseconds to look at: a bundle gives way to them at the next idle look
    if (!this.#isOld(!this.#isBundle)) return "current";
    if (!mayRenew) return "old";
    this.#makeWay();
    return "renewing";
  }

  /**
   * Makes way by itself when it is old and nobody is connected; not before two looks in a row have seen the same, for an
   * update may be under way.
   */
  async watch(isAlone: () => boolean, interval = INTERVAL): Promise<void> {
    let before: string | undefined;
    for await (const _ of setInterval(interval, undefined, { ref: false })) {
      const now = this.#lookOnce();
      const isOld = now !== undefined && now !== this.#marks.thorough;
      if (isOld && now === before && isAlone()) return this.#makeWay();
      before = now;
    }
  }

  /** Nothing when the files cannot be looked at just now. */
  #lookOnce(): string | undefined {
    try {
      return this.#look(true);
    } catch {
      return undefined;
    }
  }

  #isOld(thorough: boolean): boolean {
    const { quick, thorough: whole } = this.#marks;
    return this.#look(thorough) !== (thorough ? whole : quick);
  }

  /** The answer to the client goes out first. */
  #makeWay(): void {
    this.#renewing = true;
    setImmediate(this.#renew);
  }
}

/** Says of each file which it is and since when. */
function markOf(paths: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of paths) {
    const { ino, size, mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? {};
    hash.update(`${path}\0${ino} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

function sourcesOf(root: string): string[] {
  return SOURCES.flatMap((folder) =>
    listIfThere(join(root, folder))
      .filter((name) => name.endsWith(".ts") && !NO_SOURCE.test(name))
      .map((name) => join(root, folder, name)),
  );
}

function listIfThere(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
