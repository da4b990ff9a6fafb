/**
 * The folder of a container's running machine, `RUN_ROOT/SHORT_ID`, and who answers for it.
 *
 * It is made before the machine and removed after it, so whatever a daemon that was killed leaves behind is found by
 * looking here.
 */

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { shortId } from "./container-name.ts";
import { makePrivateFolder } from "./paths.ts";
import {
  findVmmProcesses,
  identifyProcess,
  isAlive,
  killProcess,
  type ProcessIdentity,
} from "./process-identity.ts";

/** Version of `owner.json`. */
const OWNER_VERSION = 1;

interface Owner {
  readonly version: typeof OWNER_VERSION;
  /** id of the container */
  readonly container: string;
  /** the process that runs the engine */
  readonly engine: ProcessIdentity;
  /** the process that is the virtual machine */
  readonly vmm?: ProcessIdentity;
}

/** A run directory that this process answers for; disposing of it removes it. */
export class RunDirectory implements Disposable {
  readonly path: string;
  #owner: Owner;

  /** @param options `takenOver`: whether an earlier engine made it */
  constructor(runRoot: string, container: string, { takenOver = false } = {}) {
    makePrivateFolder(dirname(runRoot));
    makePrivateFolder(runRoot);
    this.path = runDirectoryPath(runRoot, container);
    const engine = identifyProcess(process.pid) ?? { pid: process.pid, startTime: "" };
    const vmm = takenOver ? readOwner(this.path)?.vmm : undefined;
    this.#owner = { version: OWNER_VERSION, container, engine, ...(vmm ? { vmm } : {}) };
    if (!takenOver) mkdirSync(this.path, { mode: 0o700 });
    this.#write(this.#owner);
  }

  /** Notes the machine's process, for whoever has to clean up after this one. */
  noteMachine(pid: number): void {
    const vmm = identifyProcess(pid);
    if (vmm === undefined) return;
    this.#owner = { ...this.#owner, vmm };
    this.#write(this.#owner);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #write(owner: Owner): void {
    const path = join(this.path, "owner.json");
    writeFileSync(`${path}.new`, JSON.stringify(owner), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}

/** The folder's path; its last part is short since the path of a socket has at most 107 bytes (unix(7)). */
export function runDirectoryPath(runRoot: string, container: string): string {
  return join(runRoot, shortId(container));
}

/** Whether the container runs: its machine, or the engine that is about to start one, lives. */
export function isOwned(runRoot: string, container: string): boolean {
  const owner = readOwner(runDirectoryPath(runRoot, container));
  if (owner === undefined) return false;
  return isAlive(owner.engine) || (owner.vmm !== undefined && isAlive(owner.vmm));
}

/** Ends a machine that an earlier engine has left, and removes its folder. */
export function clearRunDirectory(runRoot: string, container: string): void {
  clear(runDirectoryPath(runRoot, container));
}

/** Ends and removes what is left of containers that are no more. @param containers ids of those that are */
export function sweepRunRoot(runRoot: string, containers: readonly string[]): void {
  const known = new Set(containers.map((id) => runDirectoryPath(runRoot, id)));
  for (const path of listFolder(runRoot).map((name) => join(runRoot, name))) {
    if (!known.has(path)) clear(path);
  }
}

function clear(path: string): void {
  // looking for processes takes milliseconds, and a machine has its folder from before its start to after its end
  if (!existsSync(path)) return;
  const noted = readOwner(path)?.vmm;
  if (noted !== undefined) killProcess(noted);
  // an engine killed between starting the machine and noting it
  for (const stray of findVmmProcesses(`${path}/`)) killProcess(stray);
  rmSync(path, { recursive: true, force: true });
}

function readOwner(path: string): Owner | undefined {
  try {
    const owner: Partial<Owner> = JSON.parse(readFileSync(join(path, "owner.json"), "utf8"));
    return owner.version === OWNER_VERSION && owner.container && owner.engine
      ? (owner as Owner)
      : undefined;
  } catch {
    return undefined;
  }
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
