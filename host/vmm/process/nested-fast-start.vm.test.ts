import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { hasLockedUp, runInNestedHost } from "./nested/nested-host.ts";

const build = resolve(import.meta.dirname, "../../../build");
/** A test in there saves and restores machines of 128 MiB, on an emulated processor; it takes some twenty seconds. */
const NODE = "node --test-reporter=tap --test-timeout=300000 --test-force-exit";
/** For the nested host as a whole, in `milliseconds`. */
const TIMEOUT = 900_000;

/** What is saved and restored on this machine's own KVM device is tested by `saved-machine.vm.test.ts`, always. */
const skip = process.env.DVM_NIGHTLY ? false : "takes minutes of both cores: set DVM_NIGHTLY=1";

test("forks, snapshots and spares in a host whose KVM runs Linux", {
  skip,
  timeout: 2 * TIMEOUT + 60_000,
}, async (t) => {
  const parts = ["kernel/vmlinux", "agent/initramfs.cpio", "images/busybox"];
  const run = {
    command: `${NODE} host/vmm/process/nested/test-fast-start.ts`,
    files: Object.fromEntries(parts.map((part) => [join("build", part), join(build, part)])),
    programs: [...["/usr/sbin/mkfs.ext4", "/usr/bin/passt"], ...["/usr/sbin/nft", "/usr/sbin/ip"]],
    timeout: TIMEOUT,
  };
  let result = await runInNestedHost(run);
  if (hasLockedUp(result)) {
    t.diagnostic("the nested host's own kernel locked up: the suite runs once more");
    result = await runInNestedHost(run);
  }
  const { exitCode, output } = result;
  const results = [...output.matchAll(/^ *(not )?ok \d+ - ([^\r\n]*)/gm)];
  for (const [, failed, name] of results) {
    await t.test(String(name), () => assert.equal(failed, undefined, output));
  }
  assert.equal(exitCode, 0, output);
  assert.ok(results.length >= 5, output);
});
