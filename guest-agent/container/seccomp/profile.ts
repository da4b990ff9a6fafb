/** What a seccomp profile says, in the terms of Docker's JSON format, and which of its rules hold for a container. */

/** Comparison of one argument, libseccomp's SCMP_CMP_*. */
export interface ArgumentRule {
  /** number of the argument, 0 to 5 */
  readonly index: number;
  readonly op: "NE" | "LT" | "LE" | "EQ" | "GE" | "GT" | "MASKED_EQ";
  /** value to compare with; the mask of MASKED_EQ */
  readonly value: number;
  /** value that the masked argument must have; MASKED_EQ alone */
  readonly valueTwo: number;
}

/** What becomes of a call, libseccomp's SCMP_ACT_*. */
export interface Action {
  readonly kind: "ALLOW" | "ERRNO" | "KILL_PROCESS" | "KILL_THREAD" | "LOG" | "TRACE" | "TRAP";
  /** error number of ERRNO, message of TRACE; 0 for others */
  readonly data: number;
}

/** A condition of a rule; what is absent does not matter. */
export interface RuleCondition {
  /** capabilities, `CAP_SYS_ADMIN` */
  readonly caps?: readonly string[];
  /** machines in Go's spelling, `amd64` */
  readonly arches?: readonly string[];
  /** oldest kernel, `[4, 8]` */
  readonly minKernel?: readonly [number, number];
}

/** One rule for some system calls. */
export interface SyscallRule {
  readonly names: readonly string[];
  readonly action: Action;
  /** comparisons that must all hold; none: the rule always holds */
  readonly args?: readonly ArgumentRule[];
  /** what must be so for the rule to count: each capability, one of the machines */
  readonly includes?: RuleCondition;
  /** what must not be so: none of the capabilities, none of the machines */
  readonly excludes?: RuleCondition;
}

export interface SeccompProfile {
  readonly defaultAction: Action;
  /** whether 32-bit programs run, under the same rules; else their first call kills them */
  readonly i386: boolean;
  /** SECCOMP_FILTER_FLAG_* of linux/seccomp.h */
  readonly flags: number;
  readonly rules: readonly SyscallRule[];
}

/** What conditional rules look at. */
export interface ProfileContext {
  /** the container's bounding set, `CAP_…` */
  readonly capabilities: ReadonlySet<string>;
  /** version of the running kernel, `[6, 1]` */
  readonly kernel: readonly [number, number];
}

/** The rules of `profile` that hold in `context`, in order. */
export function applicableRules(profile: SeccompProfile, context: ProfileContext): SyscallRule[] {
  return profile.rules.filter(
    ({ includes, excludes }) =>
      (includes === undefined || includesHold(includes, context)) &&
      (excludes === undefined || excludesHold(excludes, context)),
  );
}

// Docker asks for its own machine alone, so a rule for `x86` counts on none of ours (moby profiles/seccomp).
const OUR_ARCH = "amd64";

function includesHold(
  { caps, arches, minKernel }: RuleCondition,
  context: ProfileContext,
): boolean {
  if (arches !== undefined && arches.length > 0 && !arches.includes(OUR_ARCH)) return false;
  if (caps?.some((cap) => !context.capabilities.has(cap))) return false;
  return minKernel === undefined || atLeast(context.kernel, minKernel);
}

function excludesHold(
  { caps, arches, minKernel }: RuleCondition,
  context: ProfileContext,
): boolean {
  if (arches?.includes(OUR_ARCH)) return false;
  if (caps?.some((cap) => context.capabilities.has(cap))) return false;
  return minKernel === undefined || !atLeast(context.kernel, minKernel);
}

function atLeast(version: readonly [number, number], least: readonly [number, number]): boolean {
  return version[0] > least[0] || (version[0] === least[0] && version[1] >= least[1]);
}
