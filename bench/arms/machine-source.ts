/** Where dvm's machines come from: a boot, a clone of a booted machine, or one that was kept ready. */

export type MachineSource = "ready" | "clone" | "boot";

const WORDS: Readonly<Record<MachineSource, string>> = {
  ready: "kept ready",
  clone: "cloned",
  boot: "booted",
};

const SEPARATOR = ", ";

/** What results call an arm in a scenario that tells machines' sources apart. */
export function variantName(arm: string, source: MachineSource | undefined): string {
  return source === undefined ? arm : `${arm}${SEPARATOR}${WORDS[source]}`;
}

/** The arm of such a name, and what comes behind it: nothing for an arm as it is. */
export function splitVariant(name: string): { readonly arm: string; readonly rest: string } {
  const [arm = "", ...words] = name.split(SEPARATOR);
  return { arm, rest: words.map((word) => `${SEPARATOR}${word}`).join("") };
}

/** What a daemon is told, by its environment, so that all its machines are of this source. */
export const SETTINGS: Readonly<Record<MachineSource, Readonly<Record<string, string>>>> = {
  ready: { DVM_TEMPLATE: "on", DVM_POOL: "1" },
  clone: { DVM_TEMPLATE: "on", DVM_POOL: "0" },
  boot: { DVM_TEMPLATE: "off", DVM_POOL: "0" },
};

/** Where the machine came from, out of what `dvm run --verbose` says: one kept ready is a clone that nothing started. */
export function sourceOf(stderr: string): MachineSource {
  if (!/^dvm: machine: from template$/m.test(stderr)) return "boot";
  return /\] vm-spawn /.test(stderr) ? "clone" : "ready";
}
