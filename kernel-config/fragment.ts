/** Kconfig fragments: options by capability, each one after the comment that gives its reason. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { kernelError } from "./errors.ts";

/** One option that the guest kernel must have with exactly this value. */
export interface WantedOption {
  /** name with its CONFIG_ prefix */
  readonly name: string;
  /** value as the .config spells it: y, a number, a quoted string; n for "is not set" */
  readonly value: string;
  /** why the guest needs it */
  readonly reason: string;
  /** where it is asked for: FILE:LINE */
  readonly origin: string;
}

const ASSIGNMENT = /^(CONFIG_[A-Za-z0-9_]+)=(y|-?\d+|0x[0-9a-fA-F]+|"[^"\\]*")$/;
const NEGATION = /^# (CONFIG_[A-Za-z0-9_]+) is not set$/;

/** Reads every fragment of a folder, in the order of their names. Throws KERNEL_FRAGMENT_INVALID. */
export function readFragments(directory: string): WantedOption[] {
  const files = readdirSync(directory)
    .filter((name) => name.endsWith(".config"))
    .sort();
  return withoutDuplicates(
    files.flatMap((file) => parseFragment(readFileSync(join(directory, file), "utf8"), file)),
  );
}

/** Reads one fragment. Throws KERNEL_FRAGMENT_INVALID with file and line. */
export function parseFragment(text: string, file: string): WantedOption[] {
  const options: WantedOption[] = [];
  let reason: string[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trimEnd();
    const origin = `${file}:${index + 1}`;
    const assigned = readOption(line);
    if (assigned !== undefined) {
      if (reason.length === 0) {
        throw kernelError("KERNEL_FRAGMENT_INVALID", `${origin}: ${assigned.name} has no reason`);
      }
      options.push({ ...assigned, reason: reason.join(" "), origin });
      reason = [];
    } else if (line === "") {
      reason = [];
    } else if (/^# \S/.test(line)) {
      reason.push(line.slice(2));
    } else {
      throw kernelError(
        "KERNEL_FRAGMENT_INVALID",
        `${origin}: neither comment nor option: ${line}`,
      );
    }
  }
  return options;
}

/** The text that Kconfig reads: one line an option, in its own spelling. */
export function formatOptions(options: readonly WantedOption[]): string {
  return options.map((option) => `${optionLine(option)}\n`).join("");
}

/** An option in the spelling of a .config. */
export function optionLine(option: Pick<WantedOption, "name" | "value">): string {
  return option.value === "n" ? `# ${option.name} is not set` : `${option.name}=${option.value}`;
}

function readOption(line: string): Pick<WantedOption, "name" | "value"> | undefined {
  const [, name, value] = ASSIGNMENT.exec(line) ?? [];
  if (name !== undefined && value !== undefined) return { name, value };
  const [, negated] = NEGATION.exec(line) ?? [];
  return negated === undefined ? undefined : { name: negated, value: "n" };
}

function withoutDuplicates(options: WantedOption[]): WantedOption[] {
  const seen = new Map<string, WantedOption>();
  for (const option of options) {
    const earlier = seen.get(option.name);
    if (earlier !== undefined) {
      throw kernelError(
        "KERNEL_FRAGMENT_INVALID",
        `${option.origin}: ${option.name} is already set in ${earlier.origin}`,
      );
    }
    seen.set(option.name, option);
  }
  return options;
}
