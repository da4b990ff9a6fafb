import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decide } from "./bpf-interpreter.ts";
import { compileProfile } from "./compile-profile.ts";
import { parseProfile } from "./parse-profile.ts";

const context = { capabilities: new Set(["CAP_KILL"]), kernel: [6, 1] as const };
const refusal = (pattern: RegExp) => ({ code: "SECCOMP_PROFILE", message: pattern });

test("reads a profile of Docker's form and applies its conditions", () => {
  const profile = parseProfile(
    JSON.stringify({
      defaultAction: "SCMP_ACT_ALLOW",
      archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
      syscalls: [
        {
          names: ["getpid"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 7,
          includes: { caps: ["CAP_KILL"] },
        },
        { names: ["getuid"], action: "SCMP_ACT_ERRNO", includes: { caps: ["CAP_SYS_ADMIN"] } },
        { names: ["getgid"], action: "SCMP_ACT_KILL", excludes: { minKernel: "7.0" } },
        { name: "no_such_call", action: "SCMP_ACT_TRAP" },
        {
          names: ["ioctl"],
          action: "SCMP_ACT_LOG",
          args: [{ index: 1, value: 9, op: "SCMP_CMP_EQ" }],
        },
      ],
    }),
  );
  const program = compileProfile(profile, context);
  const call = (nr: number, ...args: bigint[]): string =>
    decide(program, { arch: 0xc000_003e, nr, args });
  assert.equal(call(39), "ERRNO 7");
  assert.equal(call(102), "ALLOW");
  assert.equal(call(104), "KILL_THREAD");
  assert.equal(call(16, 0n, 9n), "LOG");
  assert.equal(call(16, 0n, 8n), "ALLOW");
  assert.equal(decide(program, { arch: 0x4000_0003, nr: 20 }), "ERRNO 7");
});

test("32-bit programs die under a profile that names x86_64 alone", () => {
  const profile = parseProfile(
    '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"]}',
  );
  assert.equal(
    decide(compileProfile(profile, context), { arch: 0x4000_0003, nr: 20 }),
    "KILL_PROCESS",
  );
});

test("refuses what it does not understand and names it", () => {
  assert.throws(() => parseProfile("{"), refusal(/not JSON: "\{"/));
  assert.throws(() => parseProfile("[]"), refusal(/the profile is no object/));
  assert.throws(() => parseProfile("{}"), refusal(/action at defaultAction: nothing/));
  assert.throws(
    () => parseProfile('{"defaultAction":"SCMP_ACT_NOTIFY"}'),
    refusal(/SCMP_ACT_NOTIFY/),
  );
  const allow = (rule: object): string =>
    JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] });
  const action = "SCMP_ACT_ERRNO";
  assert.throws(
    () => parseProfile(allow({ names: [3], action })),
    refusal(/syscalls\[0\]\.names is no string: 3/),
  );
  const arg = { index: 6, value: 0, op: "SCMP_CMP_EQ" };
  assert.throws(
    () => parseProfile(allow({ names: ["read"], action, args: [arg] })),
    refusal(/index above 5: 6/),
  );
  assert.throws(
    () =>
      parseProfile(
        allow({ names: ["read"], action, args: [{ ...arg, index: 0, value: 2 ** 60 }] }),
      ),
    refusal(/no integer/),
  );
  assert.throws(
    () => parseProfile('{"defaultAction":"SCMP_ACT_ALLOW","flags":["X"]}'),
    refusal(/unknown flag: "X"/),
  );
});

test("no JSON text makes it fail in another way", () => {
  const texts = fc.oneof(
    fc.json(),
    fc.string(),
    fc.object().map((value) => JSON.stringify({ syscalls: [value] })),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        parseProfile(text);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "SECCOMP_PROFILE");
      }
    }),
  );
});
