/**
 * The folder of a container's running machine, `RUN_ROOT/SHORT_ID`, and who answers for it.
 *
 * It is made before anything else of the container and removed last, so whatever a dvm that was killed leaves
 * behind is found by looking here.
 */

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
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
  /** whether the machine outlives the engine, for the next one to take over */
  readonly lasting?: boolean;
}

export interface RunDirectoryOptions {
  /** whether the machine outlives the engine, for the next one to take over */
  readonly lasting?: boolean;
  /** whether an earlier engine made it */
  readonly takenOver?: boolean;
}

/** A run directory that this process answers for; disposing of it removes it. */
export class RunDirectory implements Disposable {
  readonly path: string;
  #owner: Owner;

  constructor(
    runRoot: string,
    container: string,
    { lasting = false, takenOver = false }: RunDirectoryOptions = {},
  ) {
    makePrivateFolder(dirname(runRoot));
    makePrivateFolder(runRoot);
    this.path = runDirectoryPath(runRoot, container);
    const engine = identifyProcess(process.pid) ?? { pid: process.pid, startTime: "" };
    const vmm = takenOver ? readOwner(this.path)?.vmm : undefined;
    this.#owner = { version: OWNER_VERSION, container, engine, lasting, ...(vmm ? { vmm } : {}) };
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

/** Whether a living process answers for the container. */
export function isOwned(runRoot: string, container: string): boolean {
  const owner = readOwner(runDirectoryPath(runRoot, container));
  if (owner === undefined) return false;
  return (
    isAlive(owner.engine) ||
    (owner.lasting === true && owner.vmm !== undefined && isAlive(owner.vmm))
  );
}

/** Kills the container's machine; whoever answers for it notices. */
export function killMachine(runRoot: string, container: string): void {
  killMachines(runDirectoryPath(runRoot, container));
}

/**
 * Ends and removes what engines left behind that were killed.
 *
 * @returns ids of their containers
 */
export function sweepRunRoot(runRoot: string): string[] {
  const abandoned: string[] = [];
  for (const name of listFolder(runRoot)) {
    const path = join(runRoot, name);
    const owner = readOwner(path);
    if (owner !== undefined && (owner.lasting === true || isAlive(owner.engine))) continue;
    // a folder without an owner may be one that is being made right now
    if (owner === undefined && isYoung(path)) continue;
    killMachines(path);
    rmSync(path, { recursive: true, force: true });
    if (owner !== undefined) abandoned.push(owner.container);
  }
  return abandoned;
}

function killMachines(path: string): void {
  const noted = readOwner(path)?.vmm;
  if (noted !== undefined) killProcess(noted);
  // an engine killed between starting the machine and noting it
  for (const stray of findVmmProcesses(`${path}/`)) killProcess(stray);
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

/** Whether the folder was made in the last ten seconds. */
function isYoung(path: string): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs < 10_000;
  } catch {
    return false;
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
