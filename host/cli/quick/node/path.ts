/** Of node:path what the command line needs, for paths of POSIX. */

import { workingFolder } from "../world.ts";

export function isAbsolute(path: string): boolean {
  return path.startsWith("/");
}

/** Without `.`, `..` and empty parts, as far as they can be taken away. */
export function normalize(path: string): string {
  const isRooted = isAbsolute(path);
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== ".." || (parts.at(-1) ?? "..") === "..") {
      if (part !== ".." || !isRooted) parts.push(part);
    } else parts.pop();
  }
  const end = path.endsWith("/") ? "/" : "";
  if (parts.length === 0) return isRooted ? "/" : `.${end}`;
  return `${isRooted ? "/" : ""}${parts.join("/")}${end}`;
}

export function join(...parts: string[]): string {
  return normalize(parts.filter((part) => part !== "").join("/"));
}

export function resolve(...parts: string[]): string {
  const rooted = parts.findLastIndex(isAbsolute);
  const from = rooted < 0 ? [workingFolder(), ...parts] : parts.slice(rooted);
  const path = join(...from);
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}

export function dirname(path: string): string {
  const parts = path.replace(/\/+$/, "").split("/");
  parts.pop();
  if (parts.length === 0) return isAbsolute(path) ? "/" : ".";
  return parts.join("/") || "/";
}

export function basename(path: string): string {
  return path.replace(/\/+$/, "").split("/").at(-1) ?? "";
}
