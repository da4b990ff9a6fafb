/** Turns a tar member into an entry of the layer, or refuses it. */
import type { DataRun, LayerEntry } from "../../rootfs/entry.ts";
import { excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";
import { checkWhiteout, cleanEntryPath } from "./entry-path.ts";
import { MAX_PATH } from "./limits.ts";
import type { TarMember } from "./tar-member.ts";

/** Largest device numbers that Linux has (include/linux/kdev_t.h, v6.1). */
const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xfffff;

/**
 * Checks a member and states it as an entry; a file's runs are put in once they are known.
 * @returns `undefined` for a member that is no part of the image
 * @throws LAYER_ENTRY_REFUSED
 */
export function toLayerEntry(member: TarMember): LayerEntry | undefined {
  const path = cleanEntryPath(member.name);
  if (checkWhiteout(path)) return undefined;
  if (path === "" && member.type !== "5") throw refused(member, "the root is a directory");
  if (path === "" && member.name === "") throw refused(member, "it has no name");
  const base = {
    path,
    mode: member.mode,
    uid: member.uid,
    gid: member.gid,
    mtime: member.mtime,
    mtimeNanoseconds: member.mtimeNanoseconds,
    xattrs: member.xattrs,
  };
  switch (member.type) {
    case "0":
      return { ...base, type: "file", size: member.size, data: [] };
    case "1":
      return { ...base, type: "hardlink", target: hardLinkTarget(member, path) };
    case "2":
      return { ...base, type: "symlink", target: symlinkTarget(member) };
    case "3":
      return { ...base, type: "character", ...device(member) };
    case "4":
      return { ...base, type: "block", ...device(member) };
    case "5":
      return { ...base, type: "directory" };
    case "6":
      return { ...base, type: "fifo" };
    default:
      throw refused(member, `unknown type ${JSON.stringify(member.type)}`);
  }
}

/** Puts the runs of a file in. */
export function withData(entry: LayerEntry, data: readonly DataRun[]): LayerEntry {
  return entry.type === "file" ? { ...entry, data } : entry;
}

/** A hard link's target counts from the root, as a path does; whether it exists the merge of the layers knows. */
function hardLinkTarget(member: TarMember, path: string): string {
  const target = cleanEntryPath(member.linkName);
  if (target === "") throw refused(member, "hard link to the root");
  if (target === path) throw refused(member, "hard link to itself");
  return target;
}

function symlinkTarget(member: TarMember): string {
  if (member.linkName === "") throw refused(member, "symbolic link to nothing");
  if (member.linkName.length > MAX_PATH)
    throw refused(member, `link target of ${member.linkName.length} bytes`);
  return member.linkName;
}

function device(member: TarMember): { major: number; minor: number } {
  const { major, minor } = member;
  if (major < 0 || major > MAX_MAJOR || minor < 0 || minor > MAX_MINOR)
    throw refused(member, `device number ${major}:${minor}`);
  return { major, minor };
}

function refused(member: TarMember, why: string): Error {
  return imageError("LAYER_ENTRY_REFUSED", `refused layer entry ${excerpt(member.name)}: ${why}`);
}
