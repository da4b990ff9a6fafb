/** The image store's folders, its lock, and the temporary folders of those at work in it. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { lockFile, tryLockFile } from "../sys/file-lock.ts";
import { imageError } from "./errors.ts";

/** Folder of a store; several processes may work in it at once. */
export class StoreFolder {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /**
   * Opens a store, makes it when it is not there, and clears away what dead processes left.
   * @throws STORE_UNUSABLE where the user may not write
   */
  static async open(root: string): Promise<StoreFolder> {
    const store = new StoreFolder(root);
    try {
      for (const name of ["tmp", "leases", "blobs/sha256", "layers/sha256"])
        await mkdir(store.path(name), { recursive: true, mode: 0o700 });
      await writeFile(store.path("lock"), "", { flag: "a", mode: 0o600 });
    } catch (cause) {
      if (!isForbidden(cause)) throw cause;
      throw imageError("STORE_UNUSABLE", `cannot write to the image store ${root}`, { cause });
    }
    using _ = await store.lock();
    await store.#removeDeadSessions();
    return store;
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  /**
   * Takes the store's lock, for moments in which nobody else may change what is there; never held while a layer is
   * read. The kernel gives it back when its holder dies.
   */
  lock(): Promise<FileDescriptor> {
    return lockFile(this.path("lock"));
  }

  /** Begins work in a temporary folder. To be called with the lock held, or a cleaner could take it for left over. */
  async beginSession(): Promise<Session> {
    const path = this.path("tmp", randomBytes(8).toString("hex"));
    await mkdir(path, { mode: 0o700 });
    const lock = tryLockFile(path);
    if (lock === undefined) throw new Error(`somebody holds the new folder ${path}`);
    return new Session(path, lock);
  }

  /** Folders of all sessions at work. To be called with the lock held. */
  async liveSessions(): Promise<string[]> {
    const names = await readdir(this.path("tmp"));
    return names.map((name) => this.path("tmp", name));
  }

  async #removeDeadSessions(): Promise<void> {
    for (const path of await this.liveSessions()) {
      using lock = tryLockIfThere(path);
      if (lock !== undefined) await rm(path, { recursive: true, force: true });
    }
  }
}

/** A session ends without the store's lock, so it may go between its listing and its opening. */
function tryLockIfThere(path: string): FileDescriptor | undefined {
  try {
    return tryLockFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** A temporary folder that its process holds locked; whatever is in it goes with it. */
export class Session implements AsyncDisposable {
  readonly path: string;
  readonly #lock: FileDescriptor;

  constructor(path: string, lock: FileDescriptor) {
    this.path = path;
    this.#lock = lock;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    this.#lock[Symbol.dispose]();
  }
}

/** Names of files that `replaceFile` has not yet put in place. */
const HALF_WRITTEN = /\.[0-9a-f]{12}\.tmp$/;

/** Puts a small file in place so that a reader sees the old one or the new one, whole, even after a power cut. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await writeFile(temporary, content, { flush: true, mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(join(path, ".."));
}

/** Makes names in a folder last. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

/** Removes what `replaceFile` left where its process was killed. To be called with what its callers hold. */
export async function removeHalfWritten(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (HALF_WRITTEN.test(name)) await rm(join(folder, name), { force: true });
}

/** Reads a file that may be absent. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isForbidden(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return ["EACCES", "EPERM", "EROFS"].includes(String(code));
}

/** Whether an error says that a file is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
