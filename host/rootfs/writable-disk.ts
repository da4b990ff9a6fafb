/** The writable disk of a container: a sparse file with a size, formatted as ext4 by mkfs.ext4, without root. */

import { execFile } from "node:child_process";
import { open, rm } from "node:fs/promises";
import { promisify } from "node:util";
import { applyTemplate, saveTemplate, templatePath } from "./disk-template.ts";
import { rootfsError } from "./errors.ts";

const run = promisify(execFile);

/** Below this an ext4 with a journal leaves hardly any room, in `bytes`. */
const MIN_DISK = 16 * 1024 ** 2;
/** The largest ext4 with 32-bit block numbers, which the host's file system must hold as a sparse file too. */
const MAX_DISK = 16 * 1024 ** 4 - 4096;
/** A journal is written all over in time, and the host pays for it: large disks get one of 16 MiB. */
const JOURNAL_FROM = 512 * 1024 ** 2;
const JOURNAL_MIB = 16;

/**
 * Features by name, so that no /etc/mke2fs.conf and no newer mkfs decides what the guest kernel must know.
 * Without `resize_inode`: its reserved blocks would be most of what is written. Without `metadata_csum`: the host
 * keeps the bytes, and every mount and folder operation of the guest would pay for checking them.
 */
const FEATURES =
  "none,extent,huge_file,flex_bg,64bit,dir_nlink,extra_isize,filetype,ext_attr,dir_index,sparse_super,large_file";

/**
 * On large disks the bitmaps of groups that nothing is in are not written (8 KiB for each 128 MiB). On others they
 * are: a guest that has to work them out at the mount spends a million instructions for 10 GiB.
 */
const UNWRITTEN_BITMAPS_FROM = 64 * 1024 ** 3;

/** The file is new, hence all zeros: inode tables and journal need no zeroing, now or by the guest. */
const PREZEROED = "assume_storage_prezeroed=1";
/** The same end for e2fsprogs before 1.47, which writes or punches the zeros. */
const ZEROED_NOW = "lazy_itable_init=0,lazy_journal_init=0";

/**
 * Makes a formatted disk of `bytes` at `path`, which must not exist; nothing stays behind on failure.
 *
 * @throws DISK_BAD_SIZE, DISK_FORMAT_FAILED, ROOTFS_WRITE_FAILED
 */
export async function makeWritableDisk(disk: {
  readonly path: string;
  /** size that the guest sees, in `bytes` */
  readonly bytes: number;
  /** whether the disk must survive a VM that is killed; true unless the container goes with its VM */
  readonly journal?: boolean;
  /**
   * folder that keeps what mkfs wrote, for further disks of the same kind. They share an UUID, which no guest ever
   * sees twice.
   */
  readonly templates?: string;
  /** whether the bitmaps of all groups are written, whatever the size: `Ext4Volume` needs them */
  readonly plainGroups?: boolean;
}): Promise<void> {
  if (!Number.isSafeInteger(disk.bytes) || disk.bytes < MIN_DISK || disk.bytes > MAX_DISK) {
    throw rootfsError(
      "DISK_BAD_SIZE",
      `a writable disk cannot have ${disk.bytes} bytes, only ${MIN_DISK} to ${MAX_DISK}`,
    );
  }
  const bytes = Math.ceil(disk.bytes / 4096) * 4096;
  try {
    await using file = await open(disk.path, "wx", 0o600);
    await file.truncate(bytes);
  } catch (cause) {
    throw rootfsError("ROOTFS_WRITE_FAILED", `cannot make writable disk ${disk.path}`, { cause });
  }
  try {
    await formatOrCopy({ ...disk, bytes });
  } catch (cause) {
    await rm(disk.path, { force: true });
    throw formatFailure(disk.path, cause);
  }
}

/** A disk that is full is no fault of mkfs.ext4, whether it fails by it or the copy of its work does. */
function formatFailure(path: string, cause: unknown): Error {
  const { code, stderr = "" } = cause as NodeJS.ErrnoException & { readonly stderr?: string };
  const [said = ""] = stderr.trim().split("\n").slice(-1);
  if (code === "ENOSPC" || code === "EDQUOT" || /no space left/i.test(said)) {
    const message = `no room left to format ${path}`;
    return rootfsError("ROOTFS_WRITE_FAILED", message, { cause });
  }
  const message = `mkfs.ext4 cannot format ${path}`;
  return rootfsError("DISK_FORMAT_FAILED", said === "" ? message : `${message}: ${said}`, {
    cause,
  });
}

interface Formatting {
  readonly path: string;
  readonly bytes: number;
  readonly journal?: boolean;
  readonly templates?: string;
  readonly plainGroups?: boolean;
}

async function formatOrCopy(disk: Formatting): Promise<void> {
  const { path, bytes, journal = true, templates, plainGroups = false } = disk;
  const chosen = features(bytes, { journal, plainGroups });
  const made = [chosen, JOURNAL_MIB, bytes];
  const template = templates && templatePath(templates, made);
  if (template && (await applyTemplate(template, path))) return;
  await format(path, bytes, { features: chosen, journal });
  // the disk is as good without: the next one is formatted again
  if (template) await saveTemplate(template, path).catch(() => {});
}

function features(
  bytes: number,
  { journal, plainGroups }: { readonly journal: boolean; readonly plainGroups: boolean },
): string {
  const bitmaps = bytes >= UNWRITTEN_BITMAPS_FROM && !plainGroups ? ",uninit_bg" : "";
  return `${FEATURES}${bitmaps}${journal ? ",has_journal" : ""}`;
}

async function format(
  path: string,
  bytes: number,
  { features, journal }: { readonly features: string; readonly journal: boolean },
): Promise<void> {
  const journalSize = journal && bytes >= JOURNAL_FROM ? ["-J", `size=${JOURNAL_MIB}`] : [];
  const mkfs = (zeroing: string) =>
    run(
      "mkfs.ext4",
      [
        "-q",
        "-F",
        "-b",
        "4096",
        "-I",
        "256",
        "-m",
        "0",
        "-O",
        features,
        ...journalSize,
        "-E",
        `root_owner=0:0,${zeroing}`,
        path,
      ],
      { env: mkfsEnvironment() },
    );
  try {
    await mkfs(PREZEROED);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") throw error;
    await mkfs(ZEROED_NOW);
  }
}

/** Users other than root seldom have the folders of mkfs in their path. */
function mkfsEnvironment(): NodeJS.ProcessEnv {
  const path = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
  return { ...process.env, PATH: path, MKE2FS_CONFIG: "/dev/null" };
}

const UNITS = ["", "k", "m", "g", "t", "p"];

/**
 * Parses a size as Docker does (`RAMInBytes` of docker/go-units): a number, then b, k, m, g, t or p of 1024,
 * in either case, with an optional `b` or `ib`.
 *
 * @example parseDiskSize("10G") // 10737418240
 * @throws DISK_BAD_SIZE
 */
export function parseDiskSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text);
  const unit = UNITS.indexOf((match?.[2] ?? "").toLowerCase());
  const bytes = Math.trunc(Number(match?.[1] ?? Number.NaN) * 1024 ** unit);
  if (!Number.isSafeInteger(bytes)) {
    throw rootfsError("DISK_BAD_SIZE", `invalid disk size ${JSON.stringify(text)}`);
  }
  return bytes;
}
