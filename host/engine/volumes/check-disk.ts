/** The ext4 of a volume that is a disk: checked by e2fsck when its last machine did not unmount it. */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { jailed } from "../../vmm/jail/jail.ts";
import { volumeError } from "./errors.ts";

const run = promisify(execFile);

/** struct ext4_super_block, fs/ext4/ext4.h, Linux 6.1: where it is, and fields of it, in `bytes`. */
const SUPER_BLOCK = 1024;
const S_MAGIC = { offset: 0x38, value: 0xef53 };
const S_STATE = 0x3a;
const S_FEATURE_INCOMPAT = 0x60;
/** unmounted in order, EXT4_VALID_FS, and nothing found wrong */
const EXT4_VALID_FS = 1;
/** its journal has to be replayed, EXT4_FEATURE_INCOMPAT_RECOVER */
const RECOVER = 0x4;

/** Longest check, in `milliseconds`. */
const DEADLINE = 300_000;
/** e2fsck(8): errors were corrected; the host has to be booted again, which means a mounted root. */
const CORRECTED = new Set([1, 2, 3]);

/** @throws DvmError `VOLUME_DAMAGED` for one that e2fsck does not mend by itself */
export async function checkVolumeDisk(path: string, volume: string): Promise<void> {
  if (await isClean(path)) return;
  // Its content is a guest's work: the program that reads it finds this disk and nothing else.
  const [program, ...rest] = jailed({
    command: [e2fsck(), "-p", path],
    entries: [{ path, access: "write" }],
    outlivesUs: false,
  });
  try {
    await run(program, rest, { timeout: DEADLINE, maxBuffer: 1024 ** 2 });
  } catch (cause) {
    const { code, stdout = "" } = cause as { readonly code?: unknown; readonly stdout?: string };
    if (typeof code === "number" && CORRECTED.has(code)) return;
    const lines = stdout.trim().split("\n");
    const said = lines.find((line) => WHAT.test(line)) ?? lines.at(-1) ?? "";
    throw volumeError("VOLUME_DAMAGED", `the disk of volume ${volume} is damaged: ${said}`, {
      cause,
      hint: `e2fsck -f ${path} asks what to do about each finding`,
    });
  }
}

/** The line of e2fsck's answer that says what is wrong. */
const WHAT = /INCONSISTENCY|superblock|corrupt/i;

async function isClean(path: string): Promise<boolean> {
  await using file = await open(path, "r");
  const block = Buffer.alloc(1024);
  await file.read(block, 0, block.length, SUPER_BLOCK);
  return (
    block.readUInt16LE(S_MAGIC.offset) === S_MAGIC.value &&
    block.readUInt16LE(S_STATE) === EXT4_VALID_FS &&
    (block.readUInt32LE(S_FEATURE_INCOMPAT) & RECOVER) === 0
  );
}

/** It is seldom in the path of users other than root. */
function e2fsck(): string {
  const folders = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`.split(":");
  const paths = folders.filter(isAbsolute).map((folder) => join(folder, "e2fsck"));
  const found = paths.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw volumeError("VOLUME_DAMAGED", "e2fsck, which checks the disks of volumes, is not there", {
    hint: "apt-get install e2fsprogs",
  });
}
