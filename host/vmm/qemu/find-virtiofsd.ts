/** Finds virtiofsd. */

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where Debian, Fedora and others keep it: it is no program for users, and on no PATH. */
const PLACES = ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/virtiofsd"];

/** Absolute path of it, in the places where it is kept or on a `PATH`. */
export function findVirtiofsd(path: string = process.env.PATH ?? ""): string | undefined {
  const folders = path.split(delimiter).filter((folder) => folder.startsWith("/"));
  return [...PLACES, ...folders.map((folder) => join(folder, "virtiofsd"))].find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // not here, or not for us
    return false;
  }
}
