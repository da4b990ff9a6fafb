import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { VmmError } from "./errors.ts";
import { chooseBackend } from "./factory.ts";
import {
  chooseAccelerator,
  KVM_TIME_LIMIT,
  type KvmVerdict,
  kvmVerdict,
  probeHost,
} from "./probe.ts";

const usable: KvmVerdict = { usable: true, nanoseconds: 20_000 };
const slow = kvmVerdict({ kind: "ran", nanoseconds: 12_000_000 });
const absent = kvmVerdict({ kind: "error", call: "open", errno: "ENOENT" });

test("a KVM is judged by what its test guest did", () => {
  const open = (errno: string) => ({ kind: "error", call: "open", errno }) as const;
  const cases = [
    [open("ENOENT"), /there is no \/dev\/kvm/, false],
    [open("EACCES"), /no permission/, false],
    [open("ENODEV"), /cannot be opened: ENODEV/, false],
    [{ kind: "error", call: "KVM_CREATE_VM", errno: "EBUSY" }, /KVM_CREATE_VM.*EBUSY/, false],
    [{ kind: "version", version: 11 }, /API version 11, not 12/, false],
    [{ kind: "exit", reason: 17, detail: 1 }, /KVM exit 17 \(1\)/, true],
    [{ kind: "hung" }, /did not end/, false],
    [{ kind: "ran", nanoseconds: 11_800_000 }, /took 11\.8 ms, more than 3\.0 ms/, true],
  ] as const;
  for (const [measurement, reason, forcible] of cases) {
    const verdict = kvmVerdict(measurement);
    assert.ok(!verdict.usable);
    assert.match(verdict.reason, reason);
    assert.equal(verdict.forcible, forcible, verdict.reason);
  }
  const fastEnough = { kind: "ran", nanoseconds: KVM_TIME_LIMIT } as const;
  assert.equal(kvmVerdict(fastEnough).usable, true);
});

test("auto takes KVM where it runs Linux, and says why where it does not", () => {
  assert.equal(chooseAccelerator("auto", usable).accelerator, "kvm");
  const choice = chooseAccelerator("auto", slow);
  assert.equal(choice.accelerator, "tcg");
  assert.match(choice.reason, /interprets kernel code/);
});

test("what is asked for is given, unless it is not there", () => {
  assert.equal(chooseAccelerator("tcg", usable).accelerator, "tcg");
  assert.equal(chooseAccelerator("kvm", slow).accelerator, "kvm");
  assert.throws(
    () => chooseAccelerator("kvm", absent),
    (error) => error instanceof VmmError && error.code === "VMM_KVM_UNUSABLE",
  );
});

test("the backend is ours wherever KVM runs Linux, and QEMU elsewhere", () => {
  assert.equal(chooseBackend({ vmm: "auto", accel: "auto" }, { kvm: usable }).vmm, "kvm");
  assert.equal(chooseBackend({ vmm: "auto", accel: "tcg" }, { kvm: usable }).vmm, "qemu");
  assert.equal(chooseBackend({ vmm: "auto", accel: "auto" }, { kvm: slow }).vmm, "qemu");
  assert.equal(chooseBackend({ vmm: "kvm", accel: "auto" }, { kvm: usable }).vmm, "kvm");
  assert.throws(() => chooseBackend({ vmm: "kvm", accel: "tcg" }, { kvm: usable }), VmmError);
  assert.throws(() => chooseBackend({ vmm: "kvm", accel: "auto" }, { kvm: absent }), VmmError);
});

test("a host is measured once a boot", async () => {
  const cacheDirectory = mkdtempSync(join(tmpdir(), "dvm-probe-"));
  try {
    const device = join(cacheDirectory, "no-such-device");
    const probe = () => probeHost({ cacheDirectory, device });
    const first = await probe();
    assert.ok(!first.kvm.usable);
    assert.deepEqual(readdirSync(cacheDirectory), ["host-probe.json"]);

    const path = join(cacheDirectory, "host-probe.json");
    const kept: unknown = JSON.parse(readFileSync(path, "utf8"));
    assert.ok(typeof kept === "object" && kept !== null);
    writeFileSync(path, JSON.stringify({ ...kept, tscKhz: 1234 }));
    assert.equal((await probe()).tscKhz, 1234);

    for (const stale of [
      JSON.stringify({ ...kept, key: "an older boot", tscKhz: 1234 }),
      "{",
      "7",
    ]) {
      writeFileSync(path, stale);
      assert.notEqual((await probe()).tscKhz, 1234);
    }
  } finally {
    rmSync(cacheDirectory, { recursive: true });
  }
});

test("a device that is no KVM is found out, and not remembered", async () => {
  const cacheDirectory = mkdtempSync(join(tmpdir(), "dvm-probe-"));
  try {
    const { kvm } = await probeHost({ cacheDirectory, device: "/dev/null" });
    assert.ok(!kvm.usable);
    assert.match(kvm.reason, /KVM_GET_API_VERSION on \/dev\/null failed with ENOTTY/);
    const kept = readFileSync(join(cacheDirectory, "host-probe.json"), "utf8");
    assert.doesNotMatch(kept, /"kvm":/);
  } finally {
    rmSync(cacheDirectory, { recursive: true });
  }
});

test("this host's own KVM, if it has one, gets a verdict", {
  skip: !existsSync("/dev/kvm"),
}, async () => {
  const cacheDirectory = mkdtempSync(join(tmpdir(), "dvm-probe-"));
  try {
    const { kvm } = await probeHost({ cacheDirectory });
    assert.ok(kvm.usable || !/did not end/.test(kvm.reason), JSON.stringify(kvm));
  } finally {
    rmSync(cacheDirectory, { recursive: true });
  }
});
