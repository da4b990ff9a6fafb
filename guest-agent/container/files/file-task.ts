/** Work on a container's files, done by a child of the agent that has made the container's root its own. */

import { S_IFDIR, S_IFLNK, S_IFMT } from "../../linux/stat.ts";
import type { FileTask } from "../../protocol/container-spec.ts";
import { type Fd, isSyscallError, type Stat, type Syscalls } from "../../syscalls/syscalls.ts";
import { writeAll } from "../file-access.ts";
import type { PlannedMount } from "../mount-inside.ts";
import { encodeText } from "../text.ts";
import { walkChanges } from "./changes.ts";
import { FileTaskError } from "./file-task-error.ts";
import { readTree } from "./read-tree.ts";
import { joined, listNames, TreeWriter } from "./write-tree.ts";

/** Where a container's files are, as the agent sees them. */
export interface FilePlaces {
  /** the whole */
  readonly root: string;
  /** the writable layer, and whether it is the whole */
  readonly upper: string;
  readonly isWhole: boolean;
  /** what is below it; empty for tasks that do not ask what has changed */
  readonly image: string;
  /** volumes and folders of the host that are not mounted in the root, for the container does not run; absent: none */
  readonly mounts?: readonly PlannedMount[];
  /** the container's, when it has one of its own: seen from it, files have the owners that the container knows */
  readonly userNamespace: Fd | undefined;
}

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

/**
 * Does the task between the descriptors 0, 1 and 2 and ends the process. A failure is a JSON text with `code` and
 * `message` on descriptor 2 and exit code 1.
 */
export function runFileTask(sys: Syscalls, task: FileTask, places: FilePlaces): never {
  try {
    perform(sys, task, places);
    sys.exit(0);
  } catch (error) {
    try {
      writeAll(sys, STDERR, encodeText(JSON.stringify(describe(error))));
    } finally {
      sys.exit(1);
    }
  }
}

function perform(sys: Syscalls, task: FileTask, places: FilePlaces): void {
  switch (task.kind) {
    case "stat":
      enter(sys, places.root);
      sendStat(sys, task.path);
      return;
    case "read":
      enter(sys, places.root);
      sendStat(sys, task.path);
      sendTree(sys, task.path, baseName(task.path));
      return;
    case "export":
      enter(sys, places.root);
      sendRoot(sys);
      return;
    case "write":
      enter(sys, places.root);
      requireFolder(sys, task.path);
      readTree(sys, STDIN, task);
      return;
    case "changes":
      for (const { kind, path } of walkChanges(sys, places)) send(sys, `${kind} ${path}\0`);
      return;
    case "layer":
      sendLayer(sys, places);
      return;
  }
}

/** From here on every path, and every link, is the container's. */
function enter(sys: Syscalls, root: string): void {
  sys.umask(0);
  sys.chroot(root);
  sys.chdir("/");
}

/** A line before the archive. */
function sendStat(sys: Syscalls, path: string): void {
  const stat = statOf(sys, path);
  const target = (stat.mode & S_IFMT) === S_IFLNK ? sys.readlink(path) : undefined;
  const folder = path.slice(0, path.replace(/\/+$/, "").lastIndexOf("/") + 1);
  const linkTarget = target?.startsWith("/") === false ? resolved(`${folder}/${target}`) : target;
  const { size, mode, mtime } = stat;
  const name = baseName(path);
  send(sys, `${JSON.stringify({ name, size, mode, mtime, linkTarget })}\n`);
}

function sendTree(sys: Syscalls, path: string, name: string): void {
  const writer = new TreeWriter(sys, STDOUT);
  writer.add(path, name);
  writer.finish();
}

function sendRoot(sys: Syscalls): void {
  const writer = new TreeWriter(sys, STDOUT);
  for (const name of listNames(sys, "/")) writer.add(joined("/", name), name);
  writer.finish();
}

/** The writable layer as a layer of an image (OCI image-spec v1.1, layer.md, Whiteouts). */
function sendLayer(sys: Syscalls, places: FilePlaces): void {
  const writer = new TreeWriter(sys, STDOUT);
  for (const entry of walkChanges(sys, places)) {
    const name = entry.path.slice(1);
    const folder = name.slice(0, name.lastIndexOf("/") + 1);
    if (entry.kind === "deleted") {
      writer.addMark(`${folder}.wh.${name.slice(folder.length)}`);
      continue;
    }
    writer.addOne(`${places.upper}${entry.path}`, name, entry.stat);
    if (entry.opaque) writer.addMark(`${name}/.wh..wh..opq`);
  }
  writer.finish();
}

function requireFolder(sys: Syscalls, path: string): void {
  let stat: Stat;
  try {
    stat = sys.stat(path);
  } catch (error) {
    throw missing(error, path);
  }
  if ((stat.mode & S_IFMT) !== S_IFDIR) {
    throw new FileTaskError("CONFIG_INVALID", "extraction point is not a directory");
  }
}

function statOf(sys: Syscalls, path: string): Stat {
  try {
    return sys.lstat(path);
  } catch (error) {
    throw missing(error, path);
  }
}

function missing(error: unknown, path: string): unknown {
  if (!isSyscallError(error, "ENOENT", "ENOTDIR", "ELOOP")) return error;
  return new FileTaskError("NO_SUCH_PATH", `could not find the file ${path}`);
}

/** Docker's name of what is copied: of `/a/.` it is `.`. */
function baseName(path: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  return parts.at(-1) ?? "/";
}

function resolved(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function send(sys: Syscalls, text: string): void {
  writeAll(sys, STDOUT, encodeText(text));
}

function describe(error: unknown): { readonly code: string; readonly message: string } {
  const message = error instanceof Error ? error.message : String(error);
  return { code: error instanceof FileTaskError ? error.code : "FILE_TASK_FAILED", message };
}
