/** What the writable layer of a container has that its image has not: the upper folder of its overlay, read. */

import { S_IFCHR, S_IFDIR, S_IFMT } from "../../linux/stat.ts";
import { isSyscallError, type Stat, type Syscalls } from "../../syscalls/syscalls.ts";
import { joined, listNames } from "./write-tree.ts";

export type UpperEntry =
  | { readonly kind: "deleted"; readonly path: string }
  | {
      readonly kind: "added" | "modified";
      /** below the root, with a slash before it */
      readonly path: string;
      readonly stat: Stat;
      /** whether nothing of the image's folder of this name shows */
      readonly opaque: boolean;
    };

/** What is made for every container and is none of its own changes. */
export const OURS: ReadonlySet<string> = new Set([
  "/dev",
  "/proc",
  "/sys",
  "/etc/hosts",
  "/etc/hostname",
  "/etc/resolv.conf",
]);

/** Every path that differs, a folder before what is in it. */
export function* walkUpper(
  sys: Syscalls,
  layers: { readonly upper: string; readonly image: string },
  folder = "",
): Generator<UpperEntry> {
  for (const name of listNames(sys, joined(layers.upper, folder))) {
    const path = `${folder}/${name}`;
    if (!OURS.has(path)) yield* entriesOf(sys, layers, path);
  }
}

function* entriesOf(
  sys: Syscalls,
  layers: { readonly upper: string; readonly image: string },
  path: string,
): Generator<UpperEntry> {
  const place = `${layers.upper}${path}`;
  const stat = sys.lstat(place);
  const type = stat.mode & S_IFMT;
  if (type === S_IFCHR && stat.rdev === 0) {
    yield { kind: "deleted", path };
    return;
  }
  const kind = isThere(sys, `${layers.image}${path}`) ? "modified" : "added";
  if (type !== S_IFDIR) {
    yield { kind, path, stat, opaque: false };
    return;
  }
  const inside = [...walkUpper(sys, layers, path)];
  // a folder that is there for the sake of what is ours alone has not changed
  const isOurs = kind === "modified" && inside.length === 0 && listNames(sys, place).length > 0;
  if (isOurs) return;
  yield { kind, path, stat, opaque: kind === "modified" && isOpaque(sys, place) };
  yield* inside;
}

function isOpaque(sys: Syscalls, path: string): boolean {
  try {
    return sys.getxattr(path, "trusted.overlay.opaque")[0] === 0x79;
  } catch (error) {
    if (!isSyscallError(error)) throw error;
    return false;
  }
}

function isThere(sys: Syscalls, path: string): boolean {
  try {
    sys.lstat(path);
    return true;
  } catch (error) {
    if (isSyscallError(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}
