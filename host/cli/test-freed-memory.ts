/** For tests: a container takes memory and frees it, and the host's figures show both. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { TestUser } from "./test-dvm.ts";

const MIB = 2 ** 20;
const TAKEN = 200;
/** What guest and VMM keep of it at most: caches, and pieces too small to be reported. */
const KEPT = 80;

/** @param container has run nothing large yet */
export async function assertFreedMemoryComesBack(user: TestUser, container: string): Promise<void> {
  const pid = Number((await user.dvm(["inspect", "-f", "{{.State.Pid}}", container])).out);
  const before = residentMemory(pid);
  // dd holds a whole block
  const script = `dd if=/dev/zero bs=${TAKEN}M count=1 2>/dev/null | wc -c`;
  const held = user.start(["exec", container, "sh", "-c", script]);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, residentMemory(pid));
  }, 50);
  try {
    assert.equal((await held.result).out, `${TAKEN * MIB}\n`);
  } finally {
    clearInterval(watch);
  }
  assert.ok(most - before > 0.75 * TAKEN * MIB, `it grew by ${(most - before) / MIB} MiB`);
  for (let look = 0; look < 300 && residentMemory(pid) - before > KEPT * MIB; look++) {
    await setTimeout(100);
  }
  const kept = residentMemory(pid) - before;
  assert.ok(kept <= KEPT * MIB, `${kept / MIB} MiB did not come back`);
}

/** Memory of a process on the host, in `bytes`. */
function residentMemory(pid: number): number {
  const [, kibibytes = "0"] =
    /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}
