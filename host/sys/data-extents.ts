/** Where a sparse file holds data: lseek(2) with SEEK_DATA and SEEK_HOLE. */

import { FileDescriptor } from "./file-descriptor.ts";
import { foreign } from "./libc.ts";
import { checked, SystemError } from "./system-error.ts";

// No memory changes hands.
const lseek = foreign<(fd: number, offset: number, whence: number) => number>(
  "int64_t lseek(int fd, int64_t offset, int whence)",
);

/** linux/fs.h */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

export interface DataExtent {
  /** in `bytes` from the start of the file */
  readonly offset: number;
  /** in `bytes` */
  readonly length: number;
}

/** What is not a hole, in order; a file system without holes gives one extent. @throws {SystemError} */
export function dataExtents(path: string): DataExtent[] {
  using file = FileDescriptor.open(path);
  const extents: DataExtent[] = [];
  for (let end = 0; ; ) {
    const offset = nextData(file, path, end);
    if (offset === undefined) return extents;
    end = checked("lseek", path, lseek(file.number, offset, SEEK_HOLE));
    extents.push({ offset, length: end - offset });
  }
}

function nextData(file: FileDescriptor, path: string, from: number): number | undefined {
  try {
    return checked("lseek", path, lseek(file.number, from, SEEK_DATA));
  } catch (error) {
    // there is none after `from`
    if (error instanceof SystemError && error.code === "ENXIO") return undefined;
    throw error;
  }
}
