/**
 * Runs the bundled command line, `main.js` beside it, with the code that V8 made of it in an earlier run of the same
 * command. Node's own compile cache holds what is compiled when a module is loaded; this holds also the functions
 * that the command called, which are most.
 *
 * It is itself bundled, as `dvm.cjs`: a CommonJS module.
 */

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { constants, Script } from "node:vm";

type Program = (require: NodeJS.Require) => void;

declare const require: NodeJS.Require;
declare const __dirname: string;

function loadBundle(): void {
  const filename = join(__dirname, "main.js");
  const cache = findCache(filename);
  const cachedData = cache && readIfAny(join(cache.folder, cache.name));
  // the bundler writes ASCII
  const source = `(function (require) {${readFileSync(filename, "latin1")}\n})`;
  const script = new Script(source, {
    filename,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData && { cachedData }),
  });
  const isNew = cachedData === undefined || script.cachedDataRejected === true;
  // a word that is no command ends with another code, and leaves nothing
  const keepIfDone = (code: number) => {
    if (cache !== undefined && code === 0) keep(cache, script);
  };
  if (isNew) process.once("exit", keepIfDone);
  const program: Program = script.runInThisContext();
  program(require);
}

interface Cache {
  readonly folder: string;
  readonly name: string;
  /** how the names begin of this and of what an earlier state of the bundle left */
  readonly prefix: string;
}

/** Code is kept by bundle, Node, Node's options and command: V8 checks no more than the length of the source. */
function findCache(filename: string): Cache | undefined {
  const folder = process.env.NODE_COMPILE_CACHE;
  const command = process.argv.slice(2).find((word) => !word.startsWith("-")) ?? "help";
  if (!folder || !/^[a-z]{1,20}$/.test(command)) return undefined;
  const { mtimeMs, size } = statSync(filename);
  const prefix = `dvm-${digest([filename, process.execArgv])}-${command}-`;
  return { folder, prefix, name: prefix + digest([mtimeMs, size, process.version]) };
}

/** FNV-1a, 32 bits, over UTF-16 units: nothing rests on it but whose code is found, and node:crypto takes 5 ms to load. */
function digest(parts: readonly unknown[]): string {
  let hash = 0x811c9dc5;
  for (const unit of JSON.stringify(parts)) {
    hash = Math.imul(hash ^ unit.charCodeAt(0), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}

function readIfAny(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** A cache that cannot be kept costs some milliseconds the next time, nothing else. */
function keep({ folder, name, prefix }: Cache, script: Script): void {
  try {
    const partial = join(folder, `partial-${name}.${process.pid}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(partial, script.createCachedData(), { mode: 0o600 });
    for (const each of readdirSync(folder))
      if (each.startsWith(prefix)) rmSync(join(folder, each), { force: true });
    renameSync(partial, join(folder, name));
  } catch {
    // The folder may be on a read-only file system, or full.
  }
}

loadBundle();
