/** Runs programs of tests in the nested host, and tells what each of their tests came to. */

import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import {
  hasCrashedEarly,
  hasLockedUp,
  hasLostOneGuest,
  type NestedResult,
  type NestedRun,
  runInNestedHost,
} from "./nested-host.ts";

const build = resolve(import.meta.dirname, "../../../../build");
/** What containers run with there. */
const PARTS = ["kernel/vmlinux", "agent/initramfs.cpio", "images/busybox"];
const PROGRAMS = ["/usr/sbin/mkfs.ext4", "/usr/bin/passt", "/usr/sbin/nft", "/usr/sbin/ip"];

/** Further runs at most, each for a failure of the emulation. */
const AGAIN = 2;

/** @param least how many tests there are at least */
export async function testInNestedHost(
  t: TestContext,
  { files, ...rest }: Omit<NestedRun, "programs">,
  least: number,
): Promise<void> {
  const parts = PARTS.map((part) => [join("build", part), join(build, part)]);
  const run = { ...rest, files: { ...Object.fromEntries(parts), ...files }, programs: PROGRAMS };
  let result = await runInNestedHost(run);
  for (let again = 0; again < AGAIN; again++) {
    const failure = failureOfEmulation(result, run);
    if (failure === undefined) break;
    t.diagnostic(`${failure}: the suite runs once more`);
    result = await runInNestedHost(run);
  }
  const { exitCode, output } = result;
  const results = [...output.matchAll(/^ *(not )?ok \d+ - ([^\r\n]*)/gm)];
  for (const [, failed, name] of results) {
    await t.test(String(name), () => assert.equal(failed, undefined, output));
  }
  assert.equal(exitCode, 0, output);
  assert.ok(results.length >= least, output);
}

/** What went wrong that is QEMU's doing, as far as can be told; what goes wrong again in the next run counts. */
function failureOfEmulation(
  result: NestedResult,
  { counted = false }: Pick<NestedRun, "counted">,
): string | undefined {
  if (hasLockedUp(result)) return "the nested host's own kernel locked up";
  if (hasCrashedEarly(result)) return "Node crashed in the nested host before the first test";
  if (!counted && hasLostOneGuest(result))
    return "one guest met a triple fault before its first word";
  return undefined;
}
