/** One entry of an image layer, as its tar stream states it: what image conversion hands to the root disk. */

/** A run of a file's content inside its layer's data file. Bytes of the file in no run are zeros (a hole). */
export interface DataRun {
  /** start within the file, in `bytes`, a multiple of 4096 */
  readonly fileOffset: number;
  /** start within the layer's data file, in `bytes`, a multiple of 4096 */
  readonly dataOffset: number;
  /** length, in `bytes`; only the last run of a file may end off a multiple of 4096, and the data file is zero-padded there */
  readonly length: number;
}

interface EntryBase {
  /**
   * Path below the root, as raw bytes, one byte per UTF-16 unit ("binary string"); no leading or trailing
   * slash, no empty, `.` or `..` component; `""` is the root itself. Whiteouts (`.wh.NAME`, `.wh..wh..opq`)
   * are still entries here; the merge resolves them.
   */
  readonly path: string;
  /** permission bits with set-uid, set-gid and sticky (`0o7777`) */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** modification time, whole seconds since the epoch */
  readonly mtime: number;
  /** the rest of the modification time, in `nanoseconds` */
  readonly mtimeNanoseconds: number;
  /** extended attributes, name (with its prefix, such as `security.capability`) to value */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

export type LayerEntry =
  | (EntryBase & {
      readonly type: "file";
      /** size, in `bytes` */
      readonly size: number;
      readonly data: readonly DataRun[];
    })
  | (EntryBase & { readonly type: "directory" | "fifo" | "socket" })
  | (EntryBase & {
      readonly type: "symlink";
      /** target as raw bytes, as a binary string, taken as it is */
      readonly target: string;
    })
  | (EntryBase & {
      readonly type: "hardlink";
      /** path of the link's target, in the form of `path` */
      readonly target: string;
    })
  | (EntryBase & {
      readonly type: "character" | "block";
      readonly major: number;
      readonly minor: number;
    });

/** A layer that has been read: its entries in tar order, and the file that holds its file data. */
export interface Layer {
  /** digest of the uncompressed tar stream, `sha256:` and 64 hex digits */
  readonly diffId: string;
  /** absolute path of the data file; its length is a multiple of 4096 */
  readonly dataPath: string;
  /** length of the data file, in `bytes` */
  readonly dataLength: number;
  readonly entries: readonly LayerEntry[];
}
