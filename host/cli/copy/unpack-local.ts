/**
 * A tar stream from a container into a folder of the user's own. The stream is hostile: no entry reaches outside the
 * folder, neither by its name nor by a symbolic link that an earlier entry made.
 */

import { createWriteStream } from "node:fs";
import { chmod, lchown, link, lstat, lutimes, mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { cliError } from "../errors.ts";

export interface UnpackOptions {
  readonly tar: Readable;
  /** folder, which is there */
  readonly folder: string;
  /** name that takes the place of the stream's topmost one; empty: none does */
  readonly name: string;
  /** whether owners are those of the stream; else they are the user */
  readonly keepOwners: boolean;
  readonly onSkipped: (name: string, why: string) => void;
}

type Content = AsyncIterable<unknown> & { resume(): unknown };

/** Most entries of one copy. */
const MAX_ENTRIES = 10_000_000;

/** @returns the size of the files, in `bytes` @throws DvmError `LOCAL_FILE` */
export async function unpackLocal(options: UnpackOptions): Promise<number> {
  const unpacker = new Unpacker(options);
  const entries = extract();
  const feeding = pipeline(options.tar, entries);
  feeding.catch(() => {});
  try {
    for await (const entry of entries) await unpacker.take(entry.header, entry);
    await feeding;
    await unpacker.finish();
  } catch (cause) {
    throw isDvmError(cause)
      ? cause
      : cliError("LOCAL_FILE", `cannot copy: ${(cause as Error).message}`, { cause });
  }
  return unpacker.bytes;
}

class Unpacker {
  bytes = 0;
  readonly #options: UnpackOptions;
  /** folders that are known to be no links */
  readonly #safe = new Set<string>();
  /** times of folders, which change with what is put into them */
  readonly #folders: [string, Header][] = [];
  #count = 0;

  constructor(options: UnpackOptions) {
    this.#options = options;
  }

  async take(header: Header, content: Content): Promise<void> {
    if (++this.#count > MAX_ENTRIES) throw refused(header.name, "too many entries");
    const parts = this.#renamed(header.name);
    if (parts === undefined) {
      content.resume();
      return;
    }
    const path = await this.#place(parts);
    if (await this.#make(path, header, content)) {
      this.bytes += header.type === "file" ? (header.size ?? 0) : 0;
      await this.#finishEntry(path, header);
    }
    content.resume();
  }

  /** The innermost folders get their times first. */
  async finish(): Promise<void> {
    for (const [path, { mode, mtime }] of this.#folders.toReversed()) {
      if (mode !== undefined) await chmod(path, mode & 0o7777);
      if (mtime !== undefined) await lutimes(path, mtime, mtime);
    }
  }

  /** Parts of the path in the folder; nothing for the topmost folder that is left out. */
  #renamed(name: string): string[] | undefined {
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    if (parts.includes("..") || name.includes("\0")) throw refused(name, "it leaves its folder");
    const [, ...below] = parts;
    const { name: top } = this.#options;
    const renamed = top === "" ? below : [top, ...below];
    return renamed.length === 0 ? undefined : renamed;
  }

  /** The path, in folders of which none is a symbolic link. */
  async #place(parts: readonly string[]): Promise<string> {
    let path = this.#options.folder;
    for (const part of parts.slice(0, -1)) {
      path = join(path, part);
      if (this.#safe.has(path)) continue;
      const found = await lstat(path).catch(() => undefined);
      if (found === undefined) await mkdir(path);
      else if (!found.isDirectory()) throw refused(parts.join("/"), `${part} is no folder`);
      this.#safe.add(path);
    }
    return join(path, parts.at(-1) ?? "");
  }

  /** @returns whether it was made */
  async #make(path: string, header: Header, content: Content): Promise<boolean> {
    const { type = "file", name, linkname } = header;
    const found = await lstat(path).catch(() => undefined);
    if (type === "directory") {
      if (found?.isDirectory() !== true) {
        if (found !== undefined) throw refused(name, "there is no folder of that name");
        await mkdir(path);
      }
      return true;
    }
    if (found?.isDirectory() === true) throw refused(name, "there is a folder of that name");
    if (found !== undefined) await rm(path);
    this.#safe.delete(path);
    if (type === "symlink") await symlink(linkname ?? "", path);
    else if (type === "link") await link(await this.#linkTarget(linkname ?? ""), path);
    else if (type === "file" || type === "contiguous-file") {
      await pipeline(content, createWriteStream(path, { flags: "wx", mode: 0o600 }));
    } else {
      this.#options.onSkipped(name, `a ${type} is not copied`);
      return false;
    }
    return true;
  }

  async #linkTarget(name: string): Promise<string> {
    const parts = this.#renamed(name);
    if (parts === undefined) throw refused(name, "no file to link to");
    return this.#place(parts);
  }

  async #finishEntry(path: string, header: Header): Promise<void> {
    const { type = "file", uid, gid, mode, mtime } = header;
    if (type === "link") return;
    if (this.#options.keepOwners) await lchown(path, uid ?? 0, gid ?? 0);
    if (type === "directory") this.#folders.push([path, header]);
    else {
      if (type !== "symlink" && mode !== undefined) await chmod(path, mode & 0o7777);
      if (mtime !== undefined) await lutimes(path, mtime, mtime);
    }
  }
}

function refused(name: string, why: string): Error {
  return cliError("LOCAL_FILE", `cannot copy ${name}: ${why}`);
}

function isDvmError(error: unknown): boolean {
  return error instanceof Error && error.name === "DvmError";
}
