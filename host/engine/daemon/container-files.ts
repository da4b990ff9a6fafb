/** The files of a container, whether it runs or not: stat, tar out and in, changes. */

import { PassThrough, type Readable } from "node:stream";
import type { FileTask } from "#protocol";
import { decompressToKeep } from "../../image/layer/compression.ts";
import { engineError } from "../errors.ts";
import { broken, startFileTask, takeAll, takeLine } from "./file-task.ts";
import type { ManagedContainer } from "./managed-container.ts";

/** Longest list of changes, in `bytes`. */
const MAX_CHANGES = 256 * 1024 * 1024;
/** Longest name that a guest may tell, in characters. */
const MAX_NAME = 4096;

export interface PathChange {
  readonly path: string;
  readonly kind: "modified" | "added" | "deleted";
}

export interface PathStat {
  readonly name: string;
  /** in `bytes` */
  readonly size: number;
  /** type and permissions as stat(2) has them in `st_mode` */
  readonly mode: number;
  /** RFC 3339 */
  readonly modified: string;
  /** absolute; absent: no symbolic link */
  readonly linkTarget?: string;
}

export interface WriteArchiveOptions {
  /** folder to unpack into */
  readonly path: string;
  readonly tar: Readable;
  readonly noOverwriteDirNonDir: boolean;
  readonly signal: AbortSignal;
}

/** @throws DvmError `NO_SUCH_PATH` */
export async function statPath(container: ManagedContainer, path: string): Promise<PathStat> {
  await using guest = await container.openFiles();
  const task = { kind: "stat", path: absolute(path) } as const;
  const { output, ended } = await startFileTask(guest.agent, { container: container.id, task });
  const line = await takeLine(output);
  output.resume();
  await ended;
  return parseStat(line);
}

/** @throws DvmError `NO_SUCH_PATH` */
export async function readArchive(
  container: ManagedContainer,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly stat: PathStat; readonly tar: Readable }> {
  const { output, failed } = await stream(
    container,
    { kind: "read", path: absolute(path) },
    signal,
  );
  const line = await takeLine(output);
  if (line === undefined) throw await failed;
  return { stat: parseStat(line), tar: output };
}

export async function exportTar(
  container: ManagedContainer,
  signal: AbortSignal,
): Promise<Readable> {
  return (await stream(container, { kind: "export" }, signal)).output;
}

/** The writable layer as a layer of an image. */
export async function layerTar(
  container: ManagedContainer,
  signal?: AbortSignal,
): Promise<Readable> {
  return (await stream(container, { kind: "layer" }, signal)).output;
}

/** @throws DvmError `NO_SUCH_PATH`, `CONFIG_INVALID` */
export async function writeArchive(
  container: ManagedContainer,
  { path, tar, noOverwriteDirNonDir, signal }: WriteArchiveOptions,
): Promise<void> {
  if (container.config.readOnly) {
    throw engineError("CONFIG_INVALID", "container rootfs is marked read-only");
  }
  await using guest = await container.openFiles();
  const { output, ended } = await startFileTask(guest.agent, {
    container: container.id,
    task: { kind: "write", path: absolute(path), noOverwriteDirNonDir },
    // what is under way to the guest is kept until the guest has it
    input: decompressToKeep(tar),
    signal,
  });
  output.resume();
  await ended;
}

export async function changes(container: ManagedContainer): Promise<readonly PathChange[]> {
  await using guest = await container.openFiles();
  const { output, ended } = await startFileTask(guest.agent, {
    container: container.id,
    task: { kind: "changes" },
  });
  const text = (await takeAll(output, MAX_CHANGES)).toString("utf8");
  await ended;
  return text.split("\0").slice(0, -1).map(parseChange);
}

/** The guest stays until the stream is over. */
async function stream(
  container: ManagedContainer,
  task: FileTask,
  signal?: AbortSignal,
): Promise<{ readonly output: Readable; readonly failed: Promise<unknown> }> {
  const guest = await container.openFiles();
  try {
    const { output, ended } = await startFileTask(guest.agent, {
      container: container.id,
      task,
      signal,
    });
    // ends when the guest has said that all went well, and not before
    const whole = new PassThrough();
    whole.on("error", () => {});
    whole.once("close", () => output.destroy());
    output.pipe(whole, { end: false });
    const failed = ended.then(
      () => broken("too little"),
      (error: unknown) => error,
    );
    void finishStream({ output, whole, ended }).finally(() => guest[Symbol.asyncDispose]());
    return { output: whole, failed };
  } catch (error) {
    await guest[Symbol.asyncDispose]();
    throw error;
  }
}

async function finishStream(parts: {
  readonly output: Readable;
  readonly whole: PassThrough;
  readonly ended: Promise<void>;
}): Promise<void> {
  const { output, whole, ended } = parts;
  const { promise, resolve } = Promise.withResolvers<void>();
  output.once("end", resolve);
  output.once("close", resolve);
  try {
    await ended;
    await promise;
    whole.end();
  } catch (error) {
    whole.destroy(error as Error);
  }
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** Everything in it was written by a guest. */
function parseStat(line: string | undefined): PathStat {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(line ?? "") ?? {};
  } catch {
    throw broken("no JSON");
  }
  const { name, size, mode, mtime, linkTarget } = value;
  const numbers = [size, mode, mtime].every((each) => Number.isSafeInteger(each));
  if (!numbers || typeof name !== "string" || name.length > MAX_NAME) throw broken("no stat");
  const isLink = typeof linkTarget === "string" && linkTarget.length <= MAX_NAME;
  const time = new Date(Math.min(Math.max(Number(mtime), 0), 8e12) * 1000);
  return {
    name,
    size: Number(size),
    mode: Number(mode) & 0o177777,
    modified: time.toISOString(),
    ...(isLink ? { linkTarget } : {}),
  };
}

function parseChange(text: string): PathChange {
  const space = text.indexOf(" ");
  const kind = text.slice(0, space);
  if (kind !== "added" && kind !== "modified" && kind !== "deleted") throw broken("no change");
  return { kind, path: text.slice(space + 1) };
}
