/**
 * The templates of a user: a folder for each, with the guest's memory, the state of its machine, and what they must
 * be. The folder is private to the user, whose own programs are trusted not to forge one; what is detected is damage:
 * the state is checked as a whole, the memory by its size and the time of its last change.
 */

import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SavedFiles } from "./saved-files.ts";
import type { TemplateKey } from "./template-key.ts";
import { type FileMark, markOf, readMeta, sameMark, type TemplateMeta } from "./template-meta.ts";
import { WorkingSet } from "./working-set.ts";

/** State of a machine at most, in `bytes`; QEMU's is some 300,000. */
const MAX_STATE = 64 * 1024 * 1024;
/** Templates that are kept. */
const MAX_TEMPLATES = 8;

/** A template, held: it stays usable while it is, even if it is removed. */
export interface Template extends SavedFiles, Disposable {
  /** descriptor of the memory */
  readonly memoryFd: number;
  /** descriptor of the state, at its beginning */
  readonly stateFd: number;
  readonly workingSet: WorkingSet;
}

/** A template that is being made, in a folder of its own. */
export interface UnfinishedTemplate {
  /** where the memory belongs */
  readonly memory: string;
  /** where the state belongs */
  readonly state: string;
  /** short enough for the path of a socket in most places */
  readonly folder: string;
}

/** What `dvm template ls` tells. */
export interface TemplateView {
  readonly key: string;
  readonly meta: TemplateMeta;
}

/** A template that is there and must not be used. */
export class TemplateDamaged extends Error {
  override readonly name = "TemplateDamaged";
}

export class TemplateStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @returns nothing where there is none. @throws {TemplateDamaged} */
  async open(key: string): Promise<Template | undefined> {
    const folder = join(this.#folder, key);
    const text = await readFile(join(folder, "meta.json"), "utf8").catch(absent);
    if (text === undefined) return undefined;
    const meta = readMeta(text);
    if (meta === undefined) throw new TemplateDamaged("its description makes no sense");
    const memory = await openPart(folder, "memory");
    try {
      const state = await openPart(folder, "state");
      let device: bigint;
      try {
        device = await check(memory, state, meta);
      } catch (error) {
        await state.close();
        throw error;
      }
      const workingSet = new WorkingSet(join(folder, "working-set"), meta.memory, device);
      return {
        memoryFd: memory.fd,
        stateFd: state.fd,
        memory: pathOf(memory),
        state: pathOf(state),
        workingSet,
        runs: (await workingSet.read()) ?? [],
        [Symbol.dispose]: () => release(memory, state),
      };
    } catch (error) {
      await memory.close();
      throw error;
    }
  }

  /** Whether there is one that may be of use. */
  has(key: string): boolean {
    return existsSync(join(this.#folder, key, "meta.json"));
  }

  /**
   * Has a template made, by one process at a time: who finds another at it leaves it to that one.
   *
   * @returns whether it was made here
   */
  async save(
    { key, shape }: TemplateKey,
    about: Pick<TemplateMeta, "about">,
    make: (unfinished: UnfinishedTemplate) => Promise<void>,
  ): Promise<boolean> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const lockPath = join(this.#folder, "lock");
    await writeFile(lockPath, "", { mode: 0o600, flag: "a" });
    // foreign calls, which a start has no need of
    const { tryLockFile } = await import("../../sys/file-lock.ts");
    using lock = tryLockFile(lockPath);
    if (lock === undefined) return false;
    await this.#sweep();
    const folder = join(this.#folder, `${UNFINISHED}${randomUUID().slice(0, 8)}`);
    await mkdir(folder, { mode: 0o700 });
    try {
      const unfinished = { folder, memory: join(folder, "memory"), state: join(folder, "state") };
      await make(unfinished);
      const meta = { ...(await describe(unfinished)), ...about, shape, created: Date.now() };
      await writeFile(join(folder, "meta.json"), JSON.stringify(meta), { mode: 0o600 });
      await rm(join(this.#folder, key), { recursive: true, force: true });
      await rename(folder, join(this.#folder, key));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    await this.#prune(key, shape);
    return true;
  }

  /** Newest first; those that make no sense are left out. */
  async list(): Promise<TemplateView[]> {
    const names = (await readdir(this.#folder).catch(absent)) ?? [];
    const views = await Promise.all(
      names.filter(isKey).map(async (key) => {
        const text = await readFile(join(this.#folder, key, "meta.json"), "utf8").catch(absent);
        const meta = text === undefined ? undefined : readMeta(text);
        return meta === undefined ? [] : [{ key, meta }];
      }),
    );
    return views.flat().sort((a, b) => b.meta.created - a.meta.created);
  }

  /** Machines that are clones of it run on. @returns whether it was there */
  async remove(key: string): Promise<boolean> {
    if (!isKey(key)) return false;
    const names = (await readdir(this.#folder).catch(absent)) ?? [];
    await rm(join(this.#folder, key), { recursive: true, force: true });
    return names.includes(key);
  }

  /** What a process left that was killed; the caller has the lock. */
  async #sweep(): Promise<void> {
    const names = await readdir(this.#folder);
    const left = names.filter((name) => name.startsWith(UNFINISHED));
    await Promise.all(left.map((name) => rm(join(this.#folder, name), { recursive: true })));
  }

  async #prune(kept: string, shape: string): Promise<void> {
    const others = (await this.list()).filter(({ key }) => key !== kept);
    const useless = others.filter(
      ({ meta }, index) => meta.shape === shape || index >= MAX_TEMPLATES - 1,
    );
    await Promise.all(useless.map(({ key }) => this.remove(key)));
  }
}

const UNFINISHED = "new-";

function isKey(name: string): boolean {
  return /^[0-9a-f]{32}$/.test(name);
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

type OpenFile = Awaited<ReturnType<typeof open>>;

async function openPart(folder: string, name: string): Promise<OpenFile> {
  try {
    return await open(join(folder, name), "r");
  } catch (cause) {
    throw new TemplateDamaged(`its ${name} cannot be read`, { cause });
  }
}

/** The file as it was opened, whatever has its name now. */
function pathOf({ fd }: OpenFile): string {
  return `/proc/${process.pid}/fd/${fd}`;
}

/** Closed by the collector else, with a complaint. */
function release(...files: readonly OpenFile[]): void {
  for (const file of files) void file.close();
}

/** @returns the device that the memory is on */
async function check(memory: OpenFile, state: OpenFile, meta: TemplateMeta): Promise<bigint> {
  const stats = await memory.stat({ bigint: true });
  if (!sameMark(markOf(stats), meta.memory)) {
    throw new TemplateDamaged("its memory was changed");
  }
  const { size } = await state.stat();
  if (size !== meta.stateSize || size > MAX_STATE || (await digest(state, size)) !== meta.state) {
    throw new TemplateDamaged("its state was changed");
  }
  return stats.dev;
}

/** Reads by position: the descriptor stays at its beginning for the one who inherits it. */
async function digest(file: OpenFile, size: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
  return createHash("sha256").update(buffer.subarray(0, bytesRead)).digest("hex");
}

async function describe({
  memory,
  state,
}: UnfinishedTemplate): Promise<{ memory: FileMark; state: string; stateSize: number }> {
  await using memoryFile = await open(memory, "r");
  await using stateFile = await open(state, "r");
  const { size } = await stateFile.stat();
  if (size === 0 || size > MAX_STATE) throw new TemplateDamaged(`its state has ${size} bytes`);
  return {
    memory: markOf(await memoryFile.stat({ bigint: true })),
    state: await digest(stateFile, size),
    stateSize: size,
  };
}
