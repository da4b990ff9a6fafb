/** --security-opt: which seccomp profile, and whether privileges may be gained. */

import { readFileSync } from "node:fs";
import { cliError } from "../errors.ts";
import { fileError } from "./file-error.ts";

export interface SecurityOptions {
  /** `default`, `unconfined`, or a profile as JSON text */
  readonly seccomp: string;
  readonly noNewPrivileges: boolean;
}

/** @throws DvmError `CONFLICT` with Docker's words, `FLAG_FILE`, `UNSUPPORTED` */
export function parseSecurityOptions(given: readonly string[]): SecurityOptions {
  let seccomp = "default";
  let noNewPrivileges = false;
  for (const option of given) {
    const [key, value] = split(option);
    if (key === "no-new-privileges") noNewPrivileges = parseSwitch(option, value);
    else if (value === undefined) throw invalid(option);
    else if (key === "seccomp") seccomp = readProfile(value);
    else if (key === "label" && value === "disable") continue;
    else if (key === "apparmor" && value === "unconfined") continue;
    else if (["label", "apparmor", "systempaths", "writable-cgroups"].includes(key)) {
      throw cliError("UNSUPPORTED", `--security-opt ${option} is not supported`, {
        hint: "the virtual machine is the boundary; seccomp and no-new-privileges apply within it",
      });
    } else throw invalid(option);
  }
  return { seccomp, noNewPrivileges };
}

/** Docker takes `:` in place of `=` for its older spelling. */
function split(option: string): readonly [string, string | undefined] {
  const at = option.includes("=") ? option.indexOf("=") : option.indexOf(":");
  return at < 0 ? [option, undefined] : [option.slice(0, at), option.slice(at + 1)];
}

function parseSwitch(option: string, value: string | undefined): boolean {
  if (value === undefined || value === "true") return true;
  if (value === "false") return false;
  throw invalid(option);
}

function readProfile(value: string): string {
  if (value === "unconfined") return value;
  if (value === "" || value === "builtin") return "default";
  let text: string;
  try {
    text = readFileSync(value, "utf8");
  } catch (error) {
    throw fileError(value, error, `opening seccomp profile (${value}) failed: `);
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (cause) {
    const message = `compacting json for seccomp profile (${value}) failed: ${(cause as Error).message}`;
    throw cliError("FLAG_FILE", message, { cause });
  }
}

function invalid(option: string): Error {
  return cliError("CONFLICT", `Invalid --security-opt: ${JSON.stringify(option)}`);
}
