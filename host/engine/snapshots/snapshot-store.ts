/** The snapshots of a data root, a folder for each; one that is not whole has no name yet and goes with the next daemon. */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeContainerId } from "../container-name.ts";
import { makePrivateFolder } from "../paths.ts";
import { readSnapshotMeta, type SnapshotMeta } from "./snapshot-meta.ts";

/** Begins the name of a folder that is being filled. */
const DRAFT = "new-";

/** Where the parts of a snapshot are. */
export interface SnapshotFiles {
  readonly folder: string;
  /** the machine with its memory */
  readonly memory: string;
  /** folder of the container's disk and what is kept of it */
  readonly container: string;
}

/** A snapshot that is being made; disposing of it removes it unless it was kept. */
export interface SnapshotDraft extends SnapshotFiles, Disposable {
  readonly id: string;
  /** Makes it one of the snapshots. */
  keep(meta: SnapshotMeta): void;
}

export class SnapshotStore {
  readonly #folder: string;

  constructor(dataRoot: string) {
    this.#folder = join(dataRoot, "snapshots");
  }

  draft(): SnapshotDraft {
    const id = makeContainerId();
    makePrivateFolder(this.#folder);
    const files = filesIn(join(this.#folder, `${DRAFT}${id}`));
    mkdirSync(files.folder, { mode: 0o700 });
    mkdirSync(files.container, { mode: 0o700 });
    return {
      id,
      ...files,
      keep: (meta) => {
        writeFileSync(join(files.folder, "snapshot.json"), JSON.stringify(meta), { mode: 0o600 });
        renameSync(files.folder, join(this.#folder, id));
      },
      [Symbol.dispose]: () => rmSync(files.folder, { recursive: true, force: true }),
    };
  }

  files(id: string): SnapshotFiles {
    return filesIn(join(this.#folder, id));
  }

  /** Newest first; those that make no sense are left out. */
  list(): SnapshotMeta[] {
    const all = this.#names().flatMap((id) => this.#read(id) ?? []);
    return all.sort((a, b) => b.created.localeCompare(a.created));
  }

  remove(id: string): void {
    rmSync(join(this.#folder, id), { recursive: true, force: true });
  }

  /** Removes what a daemon left that was killed. @returns ids of snapshots that were never made */
  sweep(): string[] {
    const left = this.#names().filter((name) => name.startsWith(DRAFT));
    for (const name of left) this.remove(name);
    return left.map((name) => name.slice(DRAFT.length));
  }

  #read(id: string): SnapshotMeta | undefined {
    try {
      const meta = readSnapshotMeta(readFileSync(join(this.#folder, id, "snapshot.json"), "utf8"));
      return meta?.id === id ? meta : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return undefined;
    }
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return [];
    }
  }
}

function filesIn(folder: string): SnapshotFiles {
  return { folder, memory: join(folder, "memory"), container: join(folder, "container") };
}
