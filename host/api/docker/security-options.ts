/** HostConfig.SecurityOpt: the seccomp profile, and whether privileges may be gained. */

import { apiError } from "./errors.ts";

export interface SecurityOptions {
  /** `default`, `unconfined`, or a profile as JSON text */
  readonly seccomp: string;
  readonly noNewPrivileges: boolean;
}

/** What changes nothing where there is neither AppArmor nor SELinux. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(["label=disable", "apparmor=unconfined"]);

/** @throws DvmError `BAD_REQUEST`, `UNSUPPORTED` */
export function securityOptions(given: readonly string[], privileged: boolean): SecurityOptions {
  let seccomp = privileged ? "unconfined" : "default";
  let noNewPrivileges = false;
  for (const option of given) {
    const [key, value] = split(option);
    if (WITHOUT_EFFECT.has(`${key}=${value}`)) continue;
    if (key === "no-new-privileges") noNewPrivileges = parseSwitch(option, value);
    else if (key === "seccomp" && value !== undefined) seccomp = parseProfile(value);
    else if (["label", "apparmor", "systempaths", "writable-cgroups"].includes(key)) {
      throw apiError("UNSUPPORTED", `security option ${excerpt(option)} is not supported`);
    } else throw invalid(option);
  }
  return { seccomp, noNewPrivileges };
}

/** The options that `securityOptions` reads as this. */
export function securityOptionTexts(options: SecurityOptions, privileged: boolean): string[] {
  const usual = privileged ? "unconfined" : "default";
  const profile = options.seccomp === "default" ? "builtin" : options.seccomp;
  return [
    ...(options.seccomp === usual ? [] : [`seccomp=${profile}`]),
    ...(options.noNewPrivileges ? ["no-new-privileges"] : []),
  ];
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

/** A client sends the profile itself, never the name of a file. */
function parseProfile(value: string): string {
  if (value === "unconfined") return value;
  if (value === "builtin" || value === "") return "default";
  try {
    return JSON.stringify(JSON.parse(value));
  } catch {
    throw apiError("BAD_REQUEST", `seccomp profile is not JSON: ${excerpt(value)}`);
  }
}

function invalid(option: string): Error {
  return apiError("BAD_REQUEST", `invalid --security-opt: ${excerpt(option)}`);
}

function excerpt(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
