/** Where a copy goes and under which name, by the rules of `docker cp` (moby pkg/archive copy.go PrepareArchiveCopy). */

import { posix } from "node:path";
import { cliError } from "../errors.ts";

export interface CopySource {
  /** as the user wrote it */
  readonly path: string;
  readonly isFolder: boolean;
}

export interface CopyTarget {
  /** as the user wrote it, made absolute */
  readonly path: string;
  /** absent: nothing is there */
  readonly found?: "folder" | "other";
}

export interface CopyPlan {
  /** folder to unpack into, which is there */
  readonly folder: string;
  /** name that the source gets in it; empty: what is in the source goes there without a folder of its own */
  readonly name: string;
}

/** @throws DvmError `CONFLICT` for a folder onto a file, and for a folder that is not there */
export function planCopy(source: CopySource, target: CopyTarget): CopyPlan {
  const { path, found } = target;
  if (found === "folder") {
    return { folder: path, name: isContents(source) ? "" : lastName(source.path) };
  }
  if (source.isFolder && found === "other") {
    throw cliError("LOCAL_FILE", `cannot copy a folder onto a file: ${path}`);
  }
  if (!source.isFolder && meansFolder(path)) {
    const why = found === undefined ? "no such directory" : "not a directory";
    throw cliError("LOCAL_FILE", `${why}: ${path}`);
  }
  const plain = withoutEnd(path);
  return { folder: posix.dirname(plain), name: posix.basename(plain) };
}

/** `FOLDER/.` stands for what is in it. */
function isContents({ path, isFolder }: CopySource): boolean {
  return isFolder && /(?:^|\/)\.$/.test(path);
}

/** Whether a path can only be that of a folder. */
function meansFolder(path: string): boolean {
  return /(?:\/|\/\.|^\.)$/.test(path);
}

export function lastName(path: string): string {
  return posix.basename(withoutEnd(path));
}

/** Without the slashes and dots at its end, of which the root keeps one. */
export function withoutEnd(path: string): string {
  return path.replace(/(?:\/+\.?)+$/, "") || (path.startsWith("/") ? "/" : ".");
}

export interface ContainerPath {
  readonly container: string;
  readonly path: string;
}

/** `CONTAINER:PATH`; a path of the user's own that has a colon is written with `./` or `/` in front. */
export function parseContainerPath(text: string): ContainerPath | undefined {
  const colon = text.indexOf(":");
  if (colon <= 0 || /^[./]/.test(text)) return undefined;
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}
