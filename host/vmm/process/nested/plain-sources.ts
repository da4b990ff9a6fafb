/**
 * The project's sources as the nested host runs them: without their types, which Node would take away there by a program
 * of WebAssembly. Code that is compiled as it runs is what QEMU's emulation of two processors gets wrong: one start of
 * Node in seven ended by SIGSEGV or one of V8's checks. And it starts sooner.
 */

import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";

/** Module that has Node take a file whose name ends with `.ts` for plain JavaScript: for its `--import`. */
export const PLAIN_LOADER = `
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
registerHooks({
  load(url, context, next) {
    if (!url.endsWith(".ts")) return next(url, context);
    return { format: "module", source: readFileSync(fileURLToPath(url)), shortCircuit: true };
  },
});
`;

/** Takes the types out of a source, or of every one below a folder; lines and columns stay where they are. */
export function stripTypes(path: string): void {
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path)) stripTypes(join(path, name));
  } else if (path.endsWith(".ts")) {
    writeFileSync(path, stripTypeScriptTypes(readFileSync(path, "utf8")));
  }
}
