/** Which capabilities a process gets, by Docker's rules. */

import { CAPABILITIES } from "../linux/capability.ts";
import type { CapabilitySets } from "../syscalls/syscalls.ts";
import { containerError } from "./errors.ts";

/** The kernel's name of a capability, `CAP_CHOWN`. */
export type CapabilityName = keyof typeof CAPABILITIES;

export interface CapabilityRequest {
  /** names with or without `CAP_`, any case, or `ALL` */
  readonly add: readonly string[];
  /** likewise */
  readonly drop: readonly string[];
  /** every capability, whatever is added and dropped */
  readonly privileged: boolean;
}

/** What a process starts with. */
export interface ProcessCapabilities extends CapabilitySets {
  /** what the process and its descendants can ever gain, bit n = capability n */
  readonly bounding: bigint;
}

// moby oci/caps/defaults.go
const DEFAULT: readonly CapabilityName[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

/**
 * The bounding set that `request` asks for.
 *
 * With `ALL` added, what is dropped is left out; with `ALL` dropped, what is added is all there is; else what is
 * dropped leaves Docker's default set and then what is added joins it.
 *
 * @throws ContainerError `CONTAINER_SPEC` for a name that the kernel does not know
 */
export function boundingSet(request: CapabilityRequest): ReadonlySet<CapabilityName> {
  const add = named(request.add, "CapAdd");
  const drop = named(request.drop, "CapDrop");
  if (request.privileged) return new Set(ALL);
  if (add.all) return new Set(ALL.filter((name) => !drop.names.has(name)));
  if (drop.all) return add.names;
  return new Set([...DEFAULT.filter((name) => !drop.names.has(name)), ...add.names]);
}

/**
 * The sets of a process that runs as `uid`: all of the bounding set for root, none of it effective for others, which
 * may gain it through set-user-ID programs and file capabilities. Nothing is inheritable or ambient (CVE-2022-24769).
 */
export function processCapabilities(
  bounding: ReadonlySet<CapabilityName>,
  uid: number,
): ProcessCapabilities {
  const mask = maskOf(bounding);
  const held = uid === 0 ? mask : 0n;
  return { bounding: mask, permitted: held, effective: held, inheritable: 0n };
}

/** Numbers of the capabilities that `bounding` lacks: to be dropped one by one (prctl(2) PR_CAPBSET_DROP). */
export function missingFrom(bounding: bigint): number[] {
  return Object.values(CAPABILITIES).filter((number) => (bounding & (1n << BigInt(number))) === 0n);
}

const ALL = Object.keys(CAPABILITIES).filter(isCapability);

function named(
  list: readonly string[],
  field: string,
): { readonly all: boolean; readonly names: ReadonlySet<CapabilityName> } {
  const names = new Set<CapabilityName>();
  let all = false;
  for (const given of list) {
    const upper = given.toUpperCase();
    const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
    if (upper === "ALL") all = true;
    else if (isCapability(name)) names.add(name);
    else
      throw containerError(
        "CONTAINER_SPEC",
        `invalid ${field}: unknown capability: "${name.slice(0, 64)}"`,
      );
  }
  return { all, names };
}

function isCapability(name: string): name is CapabilityName {
  return Object.hasOwn(CAPABILITIES, name);
}

function maskOf(names: ReadonlySet<CapabilityName>): bigint {
  let mask = 0n;
  for (const name of names) mask |= 1n << BigInt(CAPABILITIES[name]);
  return mask;
}
