/** Checks that a finished kernel configuration holds every option that was asked for, with its value. */
import { kernelError } from "./errors.ts";
import { optionLine, type WantedOption } from "./fragment.ts";
import { type KconfigDefinitions, unmetDependencies } from "./kconfig.ts";

/** An option that the kernel's own configuration rules did not leave as it was asked for. */
export interface LostOption {
  readonly wanted: WantedOption;
  /** value in the finished configuration; n if it is not set or not known */
  readonly found: string;
}

/** Reads a .config: names with their values, what is not set left out. */
export function parseConfiguration(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^(CONFIG_\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) values.set(name, value);
  }
  return values;
}

/** Lists the options whose value in the configuration is not the wanted one. */
export function findLostOptions(
  wanted: readonly WantedOption[],
  configuration: ReadonlyMap<string, string>,
): LostOption[] {
  return wanted
    .map((option) => ({ wanted: option, found: configuration.get(option.name) ?? "n" }))
    .filter(({ wanted: option, found }) => found !== option.value);
}

/** Throws KERNEL_OPTION_LOST naming each lost option, where it was asked for, and what it depends on in vain. */
export function verifyConfiguration(
  wanted: readonly WantedOption[],
  configuration: ReadonlyMap<string, string>,
  definitions: KconfigDefinitions,
): void {
  const lost = findLostOptions(wanted, configuration);
  if (lost.length === 0) return;
  const lines = lost.map((option) => describeLoss(option, configuration, definitions));
  throw kernelError(
    "KERNEL_OPTION_LOST",
    `${lost.length} wanted kernel options did not survive:\n${lines.join("\n")}`,
  );
}

function describeLoss(
  { wanted, found }: LostOption,
  configuration: ReadonlyMap<string, string>,
  definitions: KconfigDefinitions,
): string {
  const state = found === "n" ? "is not set" : `is ${found}`;
  return `  ${optionLine(wanted)} (${wanted.origin}) ${state}: ${explain(wanted, configuration, definitions)}`;
}

function explain(
  wanted: WantedOption,
  configuration: ReadonlyMap<string, string>,
  definitions: KconfigDefinitions,
): string {
  const name = wanted.name.replace(/^CONFIG_/, "");
  const definition = definitions.get(name);
  if (definition === undefined) return "this kernel has no such option";
  if (wanted.value === "n") {
    const selectors = definition.selectedBy.filter((other) => configuration.has(`CONFIG_${other}`));
    return selectors.length > 0 ? `selected by ${selectors.join(", ")}` : "on by default";
  }
  const unmet = unmetDependencies(definition, configuration);
  if (unmet.length > 0) return `depends on ${unmet.join(", ")}`;
  return definition.hasPrompt ? "decided by a choice or a range" : "not for the user to choose";
}
