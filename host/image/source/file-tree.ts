/** Files by name, in a folder or in a tar archive that stays packed: what the readers of layouts stand on. */
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";
import type { FileRange } from "../layer/blob-input.ts";

export interface FileTree extends AsyncDisposable {
  /** the folder or archive as a user would name it */
  readonly name: string;
  /** Finds a file; `undefined` when there is none. @throws SOURCE_UNREADABLE */
  locate(path: string): Promise<FileRange | undefined>;
}

/**
 * Opens a folder.
 * @throws SOURCE_UNREADABLE when it is none
 */
export async function openFolderTree(path: string): Promise<FileTree> {
  const found = await stat(path).catch((cause: unknown) => {
    throw imageError("SOURCE_UNREADABLE", `cannot read ${path}`, { cause });
  });
  if (!found.isDirectory()) throw imageError("SOURCE_UNREADABLE", `not a folder: ${path}`);
  return {
    name: path,
    locate: (file) => locateFile(join(path, file)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/**
 * Reads a whole small file of a tree.
 * @param max its greatest length, in `bytes`
 * @throws SOURCE_UNREADABLE, MANIFEST_INVALID
 */
export async function readSmallFile(tree: FileTree, path: string, max: number): Promise<Buffer> {
  const range = await tree.locate(path);
  if (range === undefined)
    throw imageError("SOURCE_UNREADABLE", `${tree.name} has no ${excerpt(path)}`);
  if (range.length > max)
    throw imageError(
      "MANIFEST_INVALID",
      `${tree.name}: ${excerpt(path)} is ${range.length} bytes long, the limit is ${max}`,
    );
  await using file = await open(range.path, "r");
  const buffer = Buffer.alloc(range.length);
  let done = 0;
  while (done < range.length) {
    const { bytesRead } = await file.read(buffer, done, range.length - done, range.offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}

async function locateFile(path: string): Promise<FileRange | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (!found.isFile()) throw imageError("SOURCE_UNREADABLE", `not a file: ${path}`);
  return { kind: "range", path, offset: 0, length: found.size };
}
