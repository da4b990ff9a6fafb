import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { hasLockedUp, runInNestedHost } from "./nested/nested-host.ts";
import { SmallGuests, whyNoKvm } from "./small-guest/small-guest.ts";

const build = resolve(import.meta.dirname, "../../../build");

/** A test in there that takes so long, in `milliseconds`, hangs; those that pass take some ten seconds. */
const NODE = "node --test-reporter=tap --test-timeout=120000 --test-force-exit";
const SMALL_GUESTS = `${NODE} host/vmm/process/small-guest.vm.test.ts || exit`;

/**
 * For the nested host as a whole, in `milliseconds`: it runs some thirty machines, on an emulated processor. Two
 * minutes on two idle cores, which other tests may have.
 */
const TIMEOUT = 600_000;

test("in a host whose KVM runs Linux", { timeout: 2 * TIMEOUT + 60_000 }, async (t) => {
  using guests = new SmallGuests();
  const parts = ["kernel/vmlinux", "agent/initramfs.cpio", "images/busybox"];
  const run = {
    command: [
      "export DVM_SMALL_GUEST=$PWD/small-guest",
      ...(whyNoKvm() === undefined ? [] : [SMALL_GUESTS]), // where there is a KVM device they run on that
      `${NODE} host/vmm/process/nested/test-containers.ts`,
    ].join("\n"),
    files: {
      ...Object.fromEntries(parts.map((part) => [join("build", part), join(build, part)])),
      "small-guest": guests.kernel,
    },
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
  assert.ok(results.length >= 20, output);
});
