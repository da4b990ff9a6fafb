import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { runInNestedHost } from "../../host/vmm/process/nested/nested-host.ts";
import { PROJECT } from "../paths.ts";
import { type BenchResult, parseResult } from "../result/result.ts";

/** It boots a host on an emulated processor, whose clock counts instructions, and in it several machines. */
const skip = process.env.DVM_NIGHTLY ? false : "takes minutes: set DVM_NIGHTLY";
const TIMEOUT = 1_500_000;

const QEMU_DATA = "/usr/share/qemu";
const PARTS = [
  ...["build/kernel/vmlinux", "build/agent/initramfs.cpio", "build/images/busybox", "build/jail"],
  ...["bench", "images", ...(bundleIsFresh() ? ["build/cli"] : [])],
];
const WORDS = "bench boot --runs 1 --baseline none --backend kvm --json /tmp/result";

/** The bundle knows the project by its path here; the host's first call of KVM waits for no program to be read. */
const COMMAND = `mkdir -p ${QEMU_DATA} ${dirname(PROJECT)} && cp qemu/* ${QEMU_DATA} && ln -s /dvm ${PROJECT}
cd ${PROJECT} && node --no-warnings host/sys/host-probe.ts /dev/kvm && DVM_UPDATE=off bin/dvm ${WORDS}
code=$?
echo; echo "RESULT $(tr -d '\\n' </tmp/result)"
exit $code`;

test("dvm bench measures our VMM where KVM runs Linux, and proves that it did", {
  skip,
  timeout: TIMEOUT + 60_000,
}, async (t) => {
  const { output, exitCode } = await runInNestedHost({
    command: COMMAND,
    files: {
      ...Object.fromEntries(PARTS.map((part) => [part, join(PROJECT, part)])),
      "qemu/qboot.rom": join(QEMU_DATA, "qboot.rom"),
    },
    programs: [
      ...["/usr/bin/qemu-system-x86_64", "/usr/bin/setpriv", "/usr/sbin/mkfs.ext4"],
      ...["/usr/bin/unshare", "/usr/bin/env", "/bin/sh", "/usr/sbin/ip"],
    ],
    timeout: TIMEOUT,
    counted: true,
  });
  const text = /^RESULT (.*)$/m.exec(output)?.[1];
  assert.ok(text !== undefined, `the nested host ended with ${exitCode}:\n${output}`);
  const result = parseResult(JSON.parse(text));

  await t.test("our VMM ran a container on a kernel of its own", () => {
    const [machine] = result.arms;
    assert.equal(machine?.name, "dvm-kvm");
    assert.equal(machine?.refusal, undefined);
    assert.notEqual(machine?.control?.kernel, result.environment.kernel);
  });
  await t.test(
    "exits, processor time and bytes of a boot are counted, by our VMM and by KVM",
    () => {
      const ofBoot = (metric: string) =>
        medianOf(result, { scenario: "boot", metric, arm: "dvm-kvm" }) ?? 0;
      for (const metric of ["exits", "kvm:exits", "bytes"]) assert.ok(ofBoot(metric) > 100, output);
      assert.ok(ofBoot("cpu") > 0, output);
    },
  );
});

interface Place {
  readonly scenario: string;
  readonly metric: string;
  readonly arm: string;
}

function medianOf({ scenarios }: BenchResult, { scenario, metric, arm }: Place) {
  return scenarios
    .find(({ name }) => name === scenario)
    ?.metrics.find(({ name }) => name === metric)
    ?.arms.find((each) => each.arm === arm)?.summary.median;
}

/** A bundle that is older than its sources would be taken there: all files have one age. */
function bundleIsFresh(): boolean {
  const [main, newer] = ["dvm.cjs", "newer.sh"].map((name) => join(PROJECT, "build/cli", name));
  const script =
    'root=$1 main=$2 newer=$3; [ -f "$main" ] || exit 1; stale() { . "$newer"; }; ! stale';
  return spawnSync("sh", ["-c", script, "sh", PROJECT, main ?? "", newer ?? ""]).status === 0;
}
