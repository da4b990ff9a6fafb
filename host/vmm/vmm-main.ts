/**
 * The VMM's own code in two files, for its processes to start fast: sixty modules cost 150 ms, these two 2 ms. They are
 * CommonJS, and koffi is its binary alone: that spares each thread a second module loader, a quarter of its start.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
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
      plugins: [koffiBinary],
      logLevel: "silent",
    });
    mkdirSync(folder, { recursive: true });
    for (const entry of ENTRIES) renameSync(join(fresh, `${entry}.cjs`), bundled(entry));
    rmSync(fresh, { recursive: true });
    return bundled("main");
  } catch {
    return main; // a read-only installation, or one without esbuild: slower, and as good
  }
}
