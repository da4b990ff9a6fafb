/**
 * The VMM's own code in two files, for its processes to start fast: sixty modules cost 150 ms, these two 2 ms. They are
 * CommonJS, and koffi is its binary alone: that spares each thread a second module loader, a quarter of its start.
 * Beside each stands what V8 has compiled it to, which saves a tenth of a start.
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import type { Plugin } from "esbuild";

const sources = resolve(import.meta.dirname, "..");
const modules = join(import.meta.dirname, "process");
const folder = resolve(sources, "../build/vmm");

/** koffi's binary for the C library that Node's own builds are linked with, as seen from the bundle */
const KOFFI = "../../node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node";

/** The folders of `host` that a VMM's modules come from. */
const SOURCE_FOLDERS = ["sys", "vmm"];
const ENTRIES = ["main", "vcpu-worker-main"];

let ready: Promise<string> | undefined;

/**
 * Path of the VMM's main module. Bundles when a source is newer than the bundle; falls back on the sources
 * where nothing can be written.
 */
export function vmmMain(): Promise<string> {
  ready ??= isFresh() ? Promise.resolve(bundled("main")) : bundle();
  return ready;
}

const bundled = (entry: string): string => join(folder, `${entry}.cjs`);

function isFresh(): boolean {
  if (!ENTRIES.every((entry) => existsSync(bundled(entry)))) return false;
  const made = Math.min(...ENTRIES.map((entry) => statSync(bundled(entry)).mtimeMs));
  return SOURCE_FOLDERS.every((name) => {
    const files = readdirSync(join(sources, name), { recursive: true, encoding: "utf8" });
    return files.every((file) => statSync(join(sources, name, file)).mtimeMs <= made);
  });
}

const koffiBinary: Plugin = {
  name: "koffi-binary",
  setup({ onResolve }) {
    const path = existsSync(resolve(folder, KOFFI)) ? KOFFI : "koffi";
    onResolve({ filter: /^koffi$/ }, () => ({ path, external: true }));
  },
};

async function bundle(): Promise<string> {
  const main = join(modules, "main.ts");
  try {
    mkdirSync(dirname(folder), { recursive: true });
    const fresh = `${folder}.${process.pid}`;
    const { build } = await import("esbuild");
    await build({
      entryPoints: ENTRIES.map((entry) => join(modules, `${entry}.ts`)),
      outdir: fresh,
      outExtension: { ".js": ".cjs" },
      bundle: true,
      platform: "node",
      format: "cjs",
      target: "node24",
      supported: { "dynamic-import": false }, // which a script that is compiled ahead cannot do
      plugins: [koffiBinary],
      logLevel: "silent",
    });
    for (const entry of ENTRIES) await compileAhead(fresh, entry);
    mkdirSync(folder, { recursive: true });
    const [files, old] = [readdirSync(fresh), readdirSync(folder)];
    files.sort((a, b) => Number(isEntry(a)) - Number(isEntry(b))); // entries last, for they name the others
    for (const file of files) renameSync(join(fresh, file), join(folder, file));
    rmSync(fresh, { recursive: true });
    for (const file of old) if (!files.includes(file)) rmSync(join(folder, file));
    return bundled("main");
  } catch {
    return main; // a read-only installation, or one without esbuild: slower, and as good
  }
}

const isEntry = (file: string): boolean => ENTRIES.some((entry) => file === `${entry}.cjs`);

/** Compiles every function of a script, the first argument, as V8 does where it is run without flags. */
const COMPILE = `
const [source, result] = process.argv.slice(1);
const v8 = require("node:v8");
v8.setFlagsFromString("--no-lazy");
const script = new (require("node:vm").Script)(require("node:fs").readFileSync(source, "latin1"));
v8.setFlagsFromString("--lazy");
require("node:fs").writeFileSync(result, script.createCachedData());
`;

/**
 * Puts a bundle aside under a name of its content, with V8's code of it, and in its place a module that runs these. V8
 * does without the code if that is of another version. All of the bundle is ASCII.
 */
async function compileAhead(fresh: string, entry: string): Promise<void> {
  const path = join(fresh, `${entry}.cjs`);
  const text = `(function (require, module, exports, __filename) {${readFileSync(path, "latin1")}\n})`;
  const name = `${entry}-${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
  writeFileSync(join(fresh, `${name}.js`), text, "latin1");
  const files = [join(fresh, `${name}.js`), join(fresh, `${name}.code`)];
  await promisify(execFile)(process.execPath, ["--no-warnings", "-e", COMPILE, "--", ...files]);
  writeFileSync(
    path,
    `"use strict";
const { readFileSync } = require("node:fs");
const [source, code] = [".js", ".code"].map((end) => __dirname + ${JSON.stringify(`/${name}`)} + end);
const options = { filename: source, cachedData: readFileSync(code) };
const script = new (require("node:vm").Script)(readFileSync(source, "latin1"), options);
script.runInThisContext()(require, module, exports, __filename);
`,
  );
}
