import assert from "node:assert/strict";
import { copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { LOCK_NAME, lockHolder } from "../api/server/lock-holder.ts";
import { artifactPaths } from "../engine/artifacts.ts";
import { enginePaths } from "../engine/paths.ts";
import { findVmmProcesses } from "../engine/process-identity.ts";
import { TestUser, until } from "./test-dvm.ts";

const STARTS = process.env.DVM_NIGHTLY ? 100 : 8;
const RUN = ["run", "--rm", "--vmm", "qemu", "--verbose"];
const FROM_TEMPLATE = "machine: from template";
/** Told of a machine that had to be started. */
const SPAWNED = "vm-spawn";

/** What a machine may not share with another: a line each. */
const IDENTITY = [
  "cat /proc/sys/kernel/random/boot_id",
  "cat /proc/sys/kernel/random/uuid",
  "head -c 16 /dev/urandom | od -An -tx1",
  "hostname",
].join("; ");

function userWithPool(size: number, more: Readonly<Record<string, string>> = {}): TestUser {
  const user = new TestUser({ DVM_TEMPLATE: "on", DVM_POOL: `${size}`, ...more });
  after(() => user[Symbol.dispose]());
  return user;
}

function runRootOf(user: TestUser): string {
  return enginePaths({ DVM_DATA_ROOT: user.dataRoot }).runRoot;
}

/** Machines that wait, and those that have waited and run. */
function spares(user: TestUser): number[] {
  return findVmmProcesses(`${runRootOf(user)}/pool`).map(({ pid }) => pid);
}

/** Runs until a start finds a spare: the first ones find no template, or none of the shape. */
async function fill(user: TestUser, words: readonly string[]): Promise<void> {
  let last = "";
  for (let tries = 0; tries < 10; tries++) {
    last = (await user.dvm([...RUN, ...words, "busybox", "true"])).err;
    if (last.includes(FROM_TEMPLATE) && !last.includes(SPAWNED)) return;
    await setTimeout(4000);
  }
  assert.fail(`no start found a machine that was kept ready: ${last}`);
}

describe("a pool", () => {
  const user = userWithPool(2);

  it("gives machines that are their own before their first instruction", async () => {
    await user.dvm(["template", "build", "--vmm", "qemu"]);
    await fill(user, ["--network", "none"]);
    const seen = new Set<string>();
    for (let start = 0; start < STARTS; start++) {
      await until("a spare", () => spares(user).length > 0);
      const words = [...RUN, "--network", "none", "busybox", "sh", "-c", `${IDENTITY}; date +%s`];
      const before = Math.floor(Date.now() / 1000);
      const { code, out, err } = await user.dvm(words);
      assert.equal(code, 0, err);
      const lines = out.trim().split("\n");
      const seconds = Number(lines.pop());
      assert.ok(seconds >= before && seconds <= Date.now() / 1000, out);
      for (const line of lines) seen.add(line);
    }
    assert.equal(seen.size, STARTS * 4);
  });

  it("keeps no more than it is to, of the shapes that were used last", async () => {
    await fill(user, ["--memory", "100m", "--network", "none"]);
    await until("the pool to be full", () => spares(user).length === 2);
    const words = [...RUN, "--network", "none", "busybox", "echo", "there"];
    assert.equal((await user.dvm(words)).out, "there\n");
    assert.ok(spares(user).length <= 2);
  });

  it("gives machines their network", async () => {
    await fill(user, ["--network", "bridge"]);
    const router = "$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')";
    const script = `cat /sys/class/net/eth0/address; ping -c 1 -W 5 ${router} >/dev/null && echo there`;
    await until("a spare", () => spares(user).length > 0);
    const { out, err } = await user.dvm([...RUN, "busybox", "sh", "-c", script]);
    assert.match(out, /^02:[0-9a-f:]+\nthere\n$/, err);
  });

  it("leaves none behind when its daemon is killed, and no tap", async () => {
    await fill(user, ["--network", "bridge"]);
    await until("a spare", () => spares(user).length > 0);
    const marks = readdirSync(runRootOf(user)).map((name) => name.replace(/^pool/, "dvmp"));
    process.kill(lockHolder(join(user.dataRoot, LOCK_NAME)) ?? 0, "SIGKILL");
    await until("the spares to be gone", () => spares(user).length === 0);
    await until("their taps to be gone", () => {
      const devices = readdirSync("/sys/class/net");
      return !devices.some((name) => marks.some((mark) => name.startsWith(mark)));
    });
    assert.equal((await user.dvm([...RUN, "--network", "none", "busybox", "true"])).code, 0);
  });
});

describe("a pool whose kernel was replaced", () => {
  it("does not give what it has", async () => {
    const kernel = join(userWithPool(0).folder, "vmlinux");
    copyFileSync(artifactPaths({}).kernel, kernel);
    const user = userWithPool(1, { DVM_KERNEL: kernel });
    await fill(user, ["--network", "none"]);
    await until("a spare", () => spares(user).length > 0);
    copyFileSync(artifactPaths({}).kernel, kernel);
    const { code, err } = await user.dvm([...RUN, "--network", "none", "busybox", "true"]);
    assert.equal(code, 0, err);
    assert.ok(err.includes(SPAWNED) && !err.includes(FROM_TEMPLATE), err);
  });
});
