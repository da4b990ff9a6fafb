/** Mount options as mount(8) and Docker write them, sorted into what the kernel takes. */

import {
  MS_BIND,
  MS_DIRSYNC,
  MS_LAZYTIME,
  MS_MANDLOCK,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_SHARED,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_SYNCHRONOUS,
  MS_UNBINDABLE,
} from "../linux/mount.ts";

export interface MountFlags {
  /** `MS_*` of linux/mount.ts; MS_BIND and MS_REC as asked for by `bind` and `rbind` */
  readonly flags: number;
  /** propagation to set after mounting, 0 for none */
  readonly propagation: number;
  /** options of the file system itself, comma separated */
  readonly data: string;
}

/** Sorts `options`; of contradicting ones the last counts. What is no mount flag is the file system's. */
export function parseMountOptions(options: readonly string[]): MountFlags {
  let flags = 0;
  let propagation = 0;
  const data: string[] = [];
  for (const option of options) {
    const set = Object.hasOwn(SET, option) ? SET[option] : undefined;
    const clear = Object.hasOwn(CLEAR, option) ? CLEAR[option] : undefined;
    const spread = Object.hasOwn(PROPAGATION, option) ? PROPAGATION[option] : undefined;
    if (set !== undefined) flags |= set;
    else if (clear !== undefined) flags &= ~clear;
    else if (spread !== undefined) propagation = spread;
    else if (option !== "" && option !== "defaults") data.push(option);
  }
  return { flags, propagation, data: data.join(",") };
}

// mount(8) FILESYSTEM-INDEPENDENT MOUNT OPTIONS; runc libcontainer/specconv
const SET: Readonly<Record<string, number>> = {
  bind: MS_BIND,
  dirsync: MS_DIRSYNC,
  lazytime: MS_LAZYTIME,
  mand: MS_MANDLOCK,
  noatime: MS_NOATIME,
  nodev: MS_NODEV,
  nodiratime: MS_NODIRATIME,
  noexec: MS_NOEXEC,
  nosuid: MS_NOSUID,
  nosymfollow: MS_NOSYMFOLLOW,
  rbind: MS_BIND | MS_REC,
  relatime: MS_RELATIME,
  ro: MS_RDONLY,
  strictatime: MS_STRICTATIME,
  sync: MS_SYNCHRONOUS,
};

const CLEAR: Readonly<Record<string, number>> = {
  async: MS_SYNCHRONOUS,
  atime: MS_NOATIME,
  dev: MS_NODEV,
  diratime: MS_NODIRATIME,
  exec: MS_NOEXEC,
  loud: 0,
  nolazytime: MS_LAZYTIME,
  nomand: MS_MANDLOCK,
  norelatime: MS_RELATIME,
  nostrictatime: MS_STRICTATIME,
  rw: MS_RDONLY,
  suid: MS_NOSUID,
  symfollow: MS_NOSYMFOLLOW,
};

const PROPAGATION: Readonly<Record<string, number>> = {
  private: MS_PRIVATE,
  rprivate: MS_PRIVATE | MS_REC,
  rshared: MS_SHARED | MS_REC,
  rslave: MS_SLAVE | MS_REC,
  runbindable: MS_UNBINDABLE | MS_REC,
  shared: MS_SHARED,
  slave: MS_SLAVE,
  unbindable: MS_UNBINDABLE,
};
