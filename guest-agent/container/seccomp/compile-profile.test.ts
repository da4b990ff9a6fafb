import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { decide } from "./bpf-interpreter.ts";
import { compileProfile } from "./compile-profile.ts";
import { defaultProfile } from "./default-profile.ts";
import { parseProfile } from "./parse-profile.ts";
import type { ArgumentRule, ProfileContext, SeccompProfile } from "./profile.ts";
import { type Machine, syscallNumbers } from "./syscall-numbers.ts";

const ARCH = { x86_64: 0xc000_003e, i386: 0x4000_0003 } as const;
const DEFAULT_CAPS = new Set(
  `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
  AUDIT_WRITE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`),
);
const context: ProfileContext = { capabilities: DEFAULT_CAPS, kernel: [6, 1] };
const withCap = (cap: string): ProfileContext => ({
  ...context,
  capabilities: new Set([...DEFAULT_CAPS, cap]),
});

const DEFAULT_PROFILE = defaultProfile();
const defaultProgram = compileProfile(DEFAULT_PROFILE, context);

function outcome(
  program: Uint8Array,
  name: string,
  args: readonly bigint[] = [],
  machine: Machine = "x86_64",
): string {
  const nr = syscallNumbers(machine).get(name);
  assert.ok(nr !== undefined, name);
  return decide(program, { arch: ARCH[machine], nr, args });
}

test("lets ordinary calls pass on both machines and refuses those of an administrator", () => {
  for (const machine of ["x86_64", "i386"] as const) {
    for (const name of [
      "read",
      "execve",
      "openat",
      "futex",
      "chroot",
      "ptrace",
      "io_submit",
      "clock_gettime",
    ]) {
      assert.equal(outcome(defaultProgram, name, [], machine), "ALLOW", name);
    }
    for (const name of [
      "mount",
      "umount2",
      "setns",
      "unshare",
      "bpf",
      "reboot",
      "init_module",
      "keyctl",
      "swapon",
    ]) {
      assert.equal(outcome(defaultProgram, name, [], machine), "ERRNO 1", name);
    }
  }
});

test("io_uring and userfaultfd are refused", () => {
  for (const name of ["io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd"]) {
    assert.equal(outcome(defaultProgram, name), "ERRNO 1", name);
  }
});

test("a call newer than the profile is unknown, not forbidden", () => {
  assert.equal(decide(defaultProgram, { arch: ARCH.x86_64, nr: 500 }), "ERRNO 38");
  assert.equal(decide(defaultProgram, { arch: ARCH.i386, nr: 500 }), "ERRNO 38");
});

test("x32 calls are unknown, and a foreign machine's calls kill", () => {
  assert.equal(decide(defaultProgram, { arch: ARCH.x86_64, nr: 0x4000_0000 }), "ERRNO 38");
  assert.equal(decide(defaultProgram, { arch: 0xc000_00b7, nr: 0 }), "KILL_PROCESS");
});

test("clone makes threads and processes, but no namespace", () => {
  const SIGCHLD = 17n;
  assert.equal(outcome(defaultProgram, "clone", [SIGCHLD]), "ALLOW");
  assert.equal(outcome(defaultProgram, "clone", [0x3d0f00n]), "ALLOW");
  for (const flag of [
    0x2_0000n,
    0x200_0000n,
    0x400_0000n,
    0x800_0000n,
    0x1000_0000n,
    0x2000_0000n,
    0x4000_0000n,
  ]) {
    assert.equal(outcome(defaultProgram, "clone", [flag | SIGCHLD]), "ERRNO 1", flag.toString(16));
  }
  assert.equal(
    outcome(compileProfile(DEFAULT_PROFILE, withCap("CAP_SYS_ADMIN")), "clone", [0x2_0000n]),
    "ALLOW",
  );
});

test("clone3 is unknown without CAP_SYS_ADMIN", () => {
  assert.equal(outcome(defaultProgram, "clone3"), "ERRNO 38");
  assert.equal(
    outcome(compileProfile(DEFAULT_PROFILE, withCap("CAP_SYS_ADMIN")), "clone3"),
    "ALLOW",
  );
});

test("personality takes Docker's five values alone", () => {
  for (const value of [0x0n, 0x8n, 0x2_0000n, 0x2_0008n, 0xffff_ffffn]) {
    assert.equal(outcome(defaultProgram, "personality", [value]), "ALLOW", value.toString(16));
  }
  for (const value of [0x4_0000n, 0x1n, 0x1_0000_0000n]) {
    assert.equal(outcome(defaultProgram, "personality", [value]), "ERRNO 1", value.toString(16));
  }
});

test("socket makes every family but AF_VSOCK", () => {
  for (const family of [1n, 2n, 10n, 16n])
    assert.equal(outcome(defaultProgram, "socket", [family]), "ALLOW");
  assert.equal(outcome(defaultProgram, "socket", [40n]), "ERRNO 1");
});

test("each capability brings its calls", () => {
  const expected = {
    CAP_SYS_ADMIN: ["mount", "setns", "unshare", "bpf", "sethostname", "syslog"],
    CAP_SYS_BOOT: ["reboot"],
    CAP_SYS_TIME: ["settimeofday", "clock_settime"],
    CAP_SYS_NICE: ["mbind", "set_mempolicy"],
    CAP_SYS_MODULE: ["init_module", "finit_module"],
    CAP_DAC_READ_SEARCH: ["open_by_handle_at"],
    CAP_SYS_PTRACE: ["pidfd_getfd", "kcmp"],
    CAP_SYSLOG: ["syslog"],
  };
  for (const [cap, names] of Object.entries(expected)) {
    const program = compileProfile(DEFAULT_PROFILE, withCap(cap));
    for (const name of names) {
      assert.equal(outcome(program, name), "ALLOW", `${name} with ${cap}`);
      assert.equal(outcome(defaultProgram, name), "ERRNO 1", `${name} without ${cap}`);
    }
  }
});

test("losing CAP_SYS_CHROOT loses chroot", () => {
  const capabilities = new Set([...DEFAULT_CAPS].filter((cap) => cap !== "CAP_SYS_CHROOT"));
  assert.equal(
    outcome(compileProfile(DEFAULT_PROFILE, { ...context, capabilities }), "chroot"),
    "ERRNO 1",
  );
});

test("compares 64-bit arguments as the kernel would", () => {
  const value = fc.oneof(fc.bigInt(0n, 0xffff_ffff_ffff_ffffn), fc.bigInt(0n, 20n));
  const operand = fc.oneof(fc.maxSafeNat(), fc.nat(20));
  fc.assert(
    fc.property(
      fc.constantFrom(...COMPARISONS),
      operand,
      operand,
      value,
      ([op, holds], first, second, actual) => {
        const arg: ArgumentRule = { index: 3, op, value: first, valueTwo: second };
        const program = compileProfile(only(arg), context);
        const expected = holds(actual, BigInt(first), BigInt(second)) ? "ALLOW" : "ERRNO 1";
        assert.equal(outcome(program, "ioctl", [0n, 0n, 0n, actual]), expected);
      },
    ),
    { numRuns: 2000 },
  );
});

const COMPARISONS: [
  ArgumentRule["op"],
  (actual: bigint, first: bigint, second: bigint) => boolean,
][] = [
  ["EQ", (actual, first) => actual === first],
  ["NE", (actual, first) => actual !== first],
  ["LT", (actual, first) => actual < first],
  ["LE", (actual, first) => actual <= first],
  ["GT", (actual, first) => actual > first],
  ["GE", (actual, first) => actual >= first],
  ["MASKED_EQ", (actual, first, second) => (actual & first) === second],
];

test("comparisons of several arguments must all hold, of one argument any", () => {
  const equal = (index: number, value: number): ArgumentRule => ({
    index,
    op: "EQ",
    value,
    valueTwo: 0,
  });
  const both = compileProfile(only(equal(0, 1), equal(1, 2)), context);
  assert.equal(outcome(both, "ioctl", [1n, 2n]), "ALLOW");
  assert.equal(outcome(both, "ioctl", [1n, 3n]), "ERRNO 1");
  assert.equal(outcome(both, "ioctl", [3n, 2n]), "ERRNO 1");
  const either = compileProfile(only(equal(0, 1), equal(0, 2)), context);
  assert.equal(outcome(either, "ioctl", [1n]), "ALLOW");
  assert.equal(outcome(either, "ioctl", [2n]), "ALLOW");
  assert.equal(outcome(either, "ioctl", [3n]), "ERRNO 1");
});

test("a profile that is more than the kernel takes is refused", () => {
  const args = Array.from(
    { length: 3000 },
    (_, value) => ({ index: 0, op: "EQ", value: value * 3 }) as const,
  );
  const profile = only(...args.map((arg) => ({ ...arg, valueTwo: 0 })));
  assert.throws(() => compileProfile(profile, context), { code: "SECCOMP_PROFILE", exitCode: 125 });
});

function only(...args: ArgumentRule[]): SeccompProfile {
  return {
    defaultAction: { kind: "ERRNO", data: 1 },
    i386: false,
    flags: 0,
    rules: [{ names: ["ioctl"], action: { kind: "ALLOW", data: 0 }, args }],
  };
}

/** Where podman's profile of Debian 12 and Docker's differ for a container with Docker's default capabilities. */
const DIFFERENCES: Readonly<Record<string, readonly string[]>> = {
  "Docker answers ENOSYS, podman lets it pass": ["clone3"],
  "Docker refuses new namespaces and AF_VSOCK, podman does not": ["clone", "socket"],
  "podman relies on the capability check in the kernel":
    `fsconfig fsmount fsopen fspick get_mempolicy mbind mount mount_setattr move_mount open_tree pidfd_getfd pivot_root
    reboot set_mempolicy setns syslog umount umount2 unshare`.split(/\s+/),
  "Docker leaves keyrings out, which have no namespaces": ["keyctl"],
  "obsolete calls that podman lets pass on i386": [
    "readdir",
    "sigaction",
    "sigpending",
    "sigsuspend",
    "signal",
  ],
  "podman refuses what Docker lets pass": ["io_pgetevents", "io_pgetevents_time64", "vmsplice"],
  "newer than podman's profile of Debian 12":
    `cachestat fchmodat2 futex_requeue futex_wait futex_waitv futex_wake getxattrat listmount listxattrat
    map_shadow_stack mseal removexattrat setxattrat statmount uretprobe`.split(/\s+/),
};

test("agrees with podman's profile but where a reason is given", (t) => {
  const json = podmanProfile();
  if (json === undefined) return t.skip("podman's profile is not installed");
  const theirs = compileProfile(parseProfile(json), context);
  const differing = new Set<string>();
  for (const machine of ["x86_64", "i386"] as const) {
    for (const name of syscallNumbers(machine).keys()) {
      for (const first of [0n, 2n, 40n, 0x2_0000n]) {
        const ours = outcome(defaultProgram, name, [first], machine);
        if ((ours === "ALLOW") !== (outcome(theirs, name, [first], machine) === "ALLOW"))
          differing.add(name);
      }
    }
  }
  assert.deepEqual([...differing].sort(), Object.values(DIFFERENCES).flat().sort());
});

function podmanProfile(): string | undefined {
  try {
    return readFileSync("/usr/share/containers/seccomp.json", "utf8");
  } catch {
    return undefined;
  }
}
