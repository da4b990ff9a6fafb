/**
 * The jail that programs which read a guest's bytes are started in: QEMU, e2fsck. One that a guest has taken over sees
 * the files that it was given and no others, no other process, and no socket by its path.
 */

import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { VmmError } from "../errors.ts";
import type { JailAccess, JailEntry, JailSettings } from "./settings.ts";

export type { JailEntry } from "./settings.ts";

/** The project's top folder. */
const PROJECT_ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** What programs of the host are made of, where it keeps that. */
const SYSTEM_FOLDERS = [
  "/usr",
  "/bin",
  "/lib",
  "/lib64",
  "/lib32",
  "/libx32",
  "/nix/store",
  "/gnu/store",
];
const SYSTEM_FILES = ["/etc/ld.so.cache"];
const DEVICES = ["/dev/null", "/dev/zero", "/dev/urandom"];

export interface JailOptions {
  readonly command: readonly [string, ...string[]];
  /** what it finds beside the host's libraries */
  readonly entries: readonly JailEntry[];
  /** whether it lives on when we are no more */
  readonly outlivesUs: boolean;
  /** name of a library beside the jail's program that is loaded before the program's own */
  readonly preload?: string;
}

/**
 * The command that starts `command` in the jail.
 *
 * @throws {VmmError} VMM_SPAWN_FAILED when set-up has not built the jail
 */
export function jailed(options: JailOptions): [string, ...string[]] {
  const program = process.env.DVM_JAIL || join(PROJECT_ROOT, "build", "jail", "jail");
  const { preload } = options;
  const library = preload === undefined ? undefined : join(dirname(program), preload);
  for (const path of [program, ...(library === undefined ? [] : [library])]) {
    if (existsSync(path)) continue;
    throw new VmmError("VMM_SPAWN_FAILED", `no jail for programs at ${path}`, {
      hint: `run 'npm run setup' in ${PROJECT_ROOT}`,
    });
  }
  return [program, JSON.stringify(jailSettings(options, library))];
}

/** @param library path of what is preloaded */
export function jailSettings(
  { command, entries, outlivesUs }: Omit<JailOptions, "preload">,
  library?: string,
): JailSettings {
  const libraries = library === undefined ? [] : [library];
  return {
    ...(!outlivesUs && { parent: process.pid }),
    entries: withoutNested([
      ...systemEntries(command[0]),
      ...ofKind("read", libraries),
      ...entries,
    ]),
    command,
    environment: [
      `PATH=${process.env.PATH ?? ""}`,
      ...libraries.map((path) => `LD_PRELOAD=${path}`),
    ],
  };
}

function systemEntries(program: string): JailEntry[] {
  // a program that was put somewhere else has its libraries beside it
  const own = dirname(dirname(realpathSync(program)));
  const read = [...SYSTEM_FOLDERS, ...SYSTEM_FILES, ...(own === "/" ? [] : [own])];
  return [...ofKind("read", read), ...ofKind("device", DEVICES)];
}

function ofKind(access: JailAccess, paths: readonly string[]): JailEntry[] {
  return paths.filter((path) => existsSync(path)).map((path) => ({ path, access }));
}

/** Shorter paths first; what a folder before it gives already is left out. */
function withoutNested(entries: readonly JailEntry[]): JailEntry[] {
  const kept: JailEntry[] = [];
  for (const entry of [...entries].sort((a, b) => a.path.length - b.path.length)) {
    if (!kept.some((outer) => covers(outer, entry))) kept.push(entry);
  }
  return kept;
}

function covers(outer: JailEntry, { path, access }: JailEntry): boolean {
  if (access === "device" || access === "inherited") return path === outer.path;
  if (outer.access !== access && outer.access !== "write") return false;
  return path === outer.path || path.startsWith(`${outer.path}/`);
}
