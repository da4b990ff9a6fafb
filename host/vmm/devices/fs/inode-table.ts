/** The shared files that a guest knows: a descriptor each, which names the file whatever becomes of its path. */

import { FUSE_ROOT_ID } from "./fuse.ts";

/** A file, and by which share it is reached. */
export interface SharedFile {
  /** O_PATH descriptor */
  readonly fd: number;
  /** share, device and inode number: the same for all hard links in a share */
  readonly key: string;
  /** S_IFMT bits of the mode */
  readonly type: number;
  /** index of the share */
  readonly share: number;
  readonly readOnly: boolean;
}

export interface Inode extends SharedFile {
  /** how the guest calls it, never used again for another file */
  readonly id: number;
  /** how often the guest was told of it and has not yet forgotten it */
  lookups: number;
}

export class InodeTable {
  readonly #byId = new Map<number, Inode>();
  readonly #byKey = new Map<string, Inode>();
  readonly #close: (fd: number) => void;
  #nextId = FUSE_ROOT_ID;

  /** @param root the first one, never forgotten */
  constructor(root: SharedFile, close: (fd: number) => void) {
    this.#close = close;
    this.enter(root);
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: number): Inode | undefined {
    return this.#byId.get(id);
  }

  /** Counts one more lookup of a file and takes its descriptor over. */
  enter(file: SharedFile): Inode {
    const known = this.#byKey.get(file.key);
    if (known !== undefined) {
      this.#close(file.fd);
      known.lookups++;
      return known;
    }
    const inode = { ...file, id: this.#nextId++, lookups: 1 };
    this.#byId.set(inode.id, inode);
    this.#byKey.set(inode.key, inode);
    return inode;
  }

  forget(id: number, lookups: number): void {
    const inode = this.#byId.get(id);
    if (inode === undefined || id === FUSE_ROOT_ID) return;
    inode.lookups -= lookups;
    if (inode.lookups > 0) return;
    this.#byId.delete(id);
    this.#byKey.delete(inode.key);
    this.#close(inode.fd);
  }

  /** Forgets all but the root. */
  clear(): void {
    for (const { id } of [...this.#byId.values()]) this.forget(id, Number.POSITIVE_INFINITY);
  }
}
