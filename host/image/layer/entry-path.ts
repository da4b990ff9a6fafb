/** Paths of layer entries: made relative to the root and refused where they leave it. */
import { excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";
import { MAX_NAME, MAX_PATH } from "./limits.ts";

/** Prefix of a whiteout's name: `.wh.NAME` removes NAME of the layers below (image-spec v1.1, layer.md, "Whiteouts"). */
export const WHITEOUT_PREFIX = ".wh.";
/** Name of the entry that hides all that lower layers have in its folder. */
export const OPAQUE_WHITEOUT = ".wh..wh..opq";
/** AUFS's own files, which old Docker versions left in layers; Docker skips them at the root. */
const AUFS_PREFIX = ".wh..wh.";

/** Empty, `.` and `..` components are what cleaning is about. */
const UNCLEAN = /(?:^|\/)\.{0,2}(?:\/|$)/;

/**
 * Brings a path to the form of LayerEntry: leading slashes go, as Docker has it; `.` and empty components go;
 * `..` takes its predecessor with it, and one that would leave the root is refused.
 * @throws LAYER_ENTRY_REFUSED
 */
export function cleanEntryPath(raw: string): string {
  const path = UNCLEAN.test(raw) ? resolveComponents(raw) : raw;
  if (path.length > MAX_PATH)
    throw refused(raw, `path of ${path.length} bytes, the limit is ${MAX_PATH}`);
  if (path.length > MAX_NAME) refuseLongNames(path);
  return path;
}

/**
 * Checks a whiteout's name.
 * @returns whether the entry is AUFS's own, and no entry of the image
 * @throws LAYER_ENTRY_REFUSED for a whiteout of nothing, `.` or `..`
 */
export function checkWhiteout(path: string): boolean {
  if (path === OPAQUE_WHITEOUT) return false;
  if (path.startsWith(AUFS_PREFIX)) return true;
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (!name.startsWith(WHITEOUT_PREFIX) || name === OPAQUE_WHITEOUT) return false;
  const hidden = name.slice(WHITEOUT_PREFIX.length);
  if (hidden === "" || hidden === "." || hidden === "..")
    throw refused(path, `whiteout of ${hidden === "" ? "nothing" : hidden}`);
  return false;
}

function resolveComponents(raw: string): string {
  const kept: string[] = [];
  for (const component of raw.split("/")) {
    if (component === "" || component === ".") continue;
    if (component !== "..") kept.push(component);
    else if (kept.pop() === undefined) throw refused(raw, "it leaves the root");
  }
  return kept.join("/");
}

function refuseLongNames(path: string): void {
  for (const component of path.split("/"))
    if (component.length > MAX_NAME)
      throw refused(path, `name of ${component.length} bytes, the limit is ${MAX_NAME}`);
}

function refused(path: string, why: string): Error {
  return imageError("LAYER_ENTRY_REFUSED", `refused layer entry ${excerpt(path)}: ${why}`);
}
