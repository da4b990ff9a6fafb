/** The user's own files as a tar stream for a container. */

import { createReadStream, type Stats } from "node:fs";
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Header, type Pack, pack } from "tar-stream";
import { cliError } from "../errors.ts";

export interface PackOptions {
  /** file or folder */
  readonly path: string;
  /** its name in the stream; empty: what is in the folder has none above it */
  readonly name: string;
  /** whether a symbolic link at `path` stands for what it points to */
  readonly followLink: boolean;
}

/** Packs in the background; what goes wrong destroys the stream. */
export function packLocal({ path, name, followLink }: PackOptions): Pack {
  const stream = pack();
  const links = new Map<string, string>();
  const work = async () => {
    const about = await (followLink ? stat(path) : lstat(path));
    await addEntry({ stream, path, name, about, links });
    stream.finalize();
  };
  work().catch((error: Error) => stream.destroy(error));
  return stream;
}

interface Entry {
  readonly stream: Pack;
  readonly path: string;
  readonly name: string;
  readonly about: Stats;
  /** first names of files that have several */
  readonly links: Map<string, string>;
}

async function addEntry(entry: Entry): Promise<void> {
  const { path, name, about } = entry;
  if (about.isDirectory()) {
    if (name !== "") await addHeader(entry, { type: "directory", name: `${name}/` });
    // one at a time: the stream is in the order of the walk
    for (const each of (await readdir(path)).toSorted()) {
      const below = join(path, each);
      const inside = name === "" ? each : `${name}/${each}`;
      await addEntry({ ...entry, path: below, name: inside, about: await lstat(below) });
    }
  } else if (about.isSymbolicLink()) {
    await addHeader(entry, { type: "symlink", linkname: await readlink(path) });
  } else if (about.isFile()) await addFile(entry);
  else if (about.isFIFO()) await addHeader(entry, { type: "fifo" });
  else if (!about.isSocket()) {
    const type = about.isBlockDevice() ? "block-device" : "character-device";
    await addHeader(entry, { type, ...deviceNumbers(about.rdev) });
  }
  // sockets are left out, as by tar
}

async function addFile(entry: Entry): Promise<void> {
  const { stream, path, name, about, links } = entry;
  const key = `${about.dev}:${about.ino}`;
  const first = about.nlink > 1 ? links.get(key) : undefined;
  if (first !== undefined) {
    await addHeader(entry, { type: "link", linkname: first });
    return;
  }
  if (about.nlink > 1) links.set(key, name);
  const { size } = about;
  const sink = stream.entry({ ...headers(entry), type: "file", size });
  // a file that grows meanwhile is cut where it ended
  const source = size === 0 ? undefined : createReadStream(path, { end: size - 1 });
  if (source === undefined) sink.end(undefined);
  else await pipeline(source, sink);
}

function addHeader(entry: Entry, more: Partial<Header>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  entry.stream.entry({ ...headers(entry), size: 0, ...more }, (error) =>
    error ? reject(error) : resolve(),
  );
  return promise;
}

function headers({ name, about }: Entry): Partial<Header> & { readonly name: string } {
  return {
    name,
    mode: about.mode & 0o7777,
    uid: about.uid,
    gid: about.gid,
    mtime: about.mtime,
  };
}

/** makedev(3) of glibc, the low 32 bits. */
function deviceNumbers(device: number): { readonly devmajor: number; readonly devminor: number } {
  return {
    devmajor: (device >> 8) & 0xfff,
    devminor: (device & 0xff) | ((device >> 12) & 0xfff00),
  };
}

/** What is at a path of the user's own. @throws DvmError `LOCAL_FILE` */
export async function localSource(path: string, followLink: boolean): Promise<Stats> {
  try {
    return await (followLink || /\/\.?$/.test(path) ? stat(path) : lstat(path));
  } catch (cause) {
    throw cliError("LOCAL_FILE", `no such file or directory: ${path}`, { cause });
  }
}
