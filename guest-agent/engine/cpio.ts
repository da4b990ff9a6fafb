/** Writer of cpio archives in the newc format, as the kernel unpacks an initramfs (Documentation/driver-api/early-userspace/buffer-format.rst). */

/** A member of an archive; folders come before what is in them. */
export interface CpioEntry {
  /** path without a leading slash */
  readonly name: string;
  /** file type and permission bits */
  readonly mode: number;
  readonly content?: Uint8Array;
  /** major and minor number of a device node */
  readonly device?: readonly [number, number];
}

const MAGIC = "070701";
const TRAILER = "TRAILER!!!";
const ALIGNMENT = 4;
const S_IFDIR = 0o040000;
const S_IFMT = 0o170000;

/** The archive of `entries`, owned by root, without times: the same input yields the same bytes. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const members = entries.map((entry, index) => member(entry, index + 1));
  return Buffer.concat([...members, member({ name: TRAILER, mode: 0 }, 0)]);
}

function member(entry: CpioEntry, inode: number): Buffer {
  const content = entry.content ?? new Uint8Array(0);
  const name = Buffer.from(`${entry.name}\0`);
  const [major, minor] = entry.device ?? [0, 0];
  const links = (entry.mode & S_IFMT) === S_IFDIR ? 2 : 1;
  // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const { mode } = entry;
  const { length } = content;
  const fields = [inode, mode, 0, 0, links, 0, length, 0, 0, major, minor, name.length, 0];
  const digits = fields.map((value) => value.toString(16).padStart(8, "0")).join("");
  const header = Buffer.concat([Buffer.from(MAGIC + digits), name]);
  return Buffer.concat([padded(header), padded(content)]);
}

function padded(bytes: Uint8Array): Buffer {
  const missing = (ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT;
  return Buffer.concat([bytes, Buffer.alloc(missing)]);
}
