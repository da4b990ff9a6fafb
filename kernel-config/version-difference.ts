/** Where kernel versions differ in the names or the reach of options: what is asked of which version instead. */
import type { WantedOption } from "./fragment.ts";

/** A kernel release as far as it decides on options, for example `{ major: 6, minor: 12 }`. */
export interface KernelVersion {
  readonly major: number;
  readonly minor: number;
}

interface VersionDifference {
  /** option as the fragments name it */
  readonly name: string;
  /** first version, as "6.12", that differs; from the beginning if absent */
  readonly from?: string;
  /** first version, as "6.10", that no longer differs; to the end if absent */
  readonly until?: string;
  /** what this version is asked for instead; null: nothing */
  readonly instead: { readonly name: string; readonly value: string } | null;
  /** why, with the kernel file that says so */
  readonly reason: string;
}

const DIFFERENCES: readonly VersionDifference[] = [
  {
    name: "CONFIG_BPF_JIT",
    until: "6.10",
    instead: null,
    reason:
      "it depends on MODULES before executable memory had an allocator of its own (kernel/bpf/Kconfig)",
  },
  {
    name: "CONFIG_BPF_JIT_DEFAULT_ON",
    until: "6.10",
    instead: null,
    reason: "it follows BPF_JIT",
  },
  {
    name: "CONFIG_BASE_FULL",
    from: "6.10",
    instead: { name: "CONFIG_BASE_SMALL", value: "n" },
    reason: "the choice was turned round (init/Kconfig)",
  },
  {
    name: "CONFIG_RANDOM_TRUST_CPU",
    from: "6.2",
    instead: null,
    reason: "trusted unless the command line says otherwise (drivers/char/random.c, trust_cpu)",
  },
  {
    name: "CONFIG_MICROCODE",
    from: "6.6",
    instead: null,
    reason: "no longer a choice: on with either maker of processors (arch/x86/Kconfig)",
  },
];

/** Applies the differences of a version to what the fragments want. */
export function wantedByVersion(
  options: readonly WantedOption[],
  version: KernelVersion,
): WantedOption[] {
  return options.flatMap((option) => {
    const difference = DIFFERENCES.find(
      (candidate) => candidate.name === option.name && appliesTo(candidate, version),
    );
    if (difference === undefined) return [option];
    return difference.instead === null ? [] : [{ ...option, ...difference.instead }];
  });
}

/** Reads "6.12", "6.12.107" or "6.1.0-rc3"; undefined if the text is no kernel release. */
export function parseKernelVersion(text: string): KernelVersion | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined || minor === undefined
    ? undefined
    : { major: Number(major), minor: Number(minor) };
}

function appliesTo({ from, until }: VersionDifference, version: KernelVersion): boolean {
  return (
    (from === undefined || !isBefore(version, from)) &&
    (until === undefined || isBefore(version, until))
  );
}

function isBefore(version: KernelVersion, bound: string): boolean {
  const limit = parseKernelVersion(bound);
  if (limit === undefined) throw new TypeError(`no kernel version: ${bound}`);
  return (
    version.major < limit.major || (version.major === limit.major && version.minor < limit.minor)
  );
}
