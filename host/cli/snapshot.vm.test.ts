import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { LOCK_NAME, lockHolder } from "../api/server/lock-holder.ts";
import { TestUser, until } from "./test-dvm.ts";

/** Counts for ever, into its output and a file. */
const COUNT =
  "i=0; while :; do echo $i; echo $i >>/file; i=$((i+1)); read -r -t 0.1 _ </dev/zero; sleep 0.1; done";
const RUN = ["run", "-d", "--vmm", "qemu"];

function freshUser(environment: Readonly<Record<string, string>> = {}): TestUser {
  const user = new TestUser(environment);
  after(() => user[Symbol.dispose]());
  return user;
}

async function out(user: TestUser, ...words: string[]): Promise<string> {
  const { code, out: text, err } = await user.dvm(words);
  assert.equal(code, 0, `${words.join(" ")}: ${err}`);
  return text.trim();
}

async function refused(user: TestUser, words: string[], reason: RegExp): Promise<void> {
  const { code, err } = await user.dvm(words);
  assert.notEqual(code, 0, words.join(" "));
  assert.match(err, reason);
}

async function counting(user: TestUser, name: string, ...more: string[]): Promise<void> {
  await out(user, ...RUN, "--name", name, ...more, "busybox", "sh", "-c", COUNT);
  await until(`${name} to count`, async () => Number(await lastLine(user, name)) > 2);
}

async function lastLine(user: TestUser, name: string): Promise<string> {
  return (await out(user, "logs", "--tail", "1", name)) || "-1";
}

/** It counts on, from where it was. */
async function countsOn(user: TestUser, name: string, from: number): Promise<void> {
  await until(`${name} to count on`, async () => Number(await lastLine(user, name)) > from + 2);
  const lines = (await out(user, "logs", name)).split("\n").map(Number);
  const [first = Number.NaN] = lines;
  assert.deepEqual(
    lines,
    lines.map((_, index) => first + index),
  );
}

function snapshotFolders(user: TestUser): string[] {
  return readdirSync(join(user.dataRoot, "snapshots"));
}

describe("dvm fork", () => {
  const user = freshUser();

  it("makes a second container that goes on by itself, with addresses, entropy and files of its own", async () => {
    await counting(user, "first");
    const before = Number(await lastLine(user, "first"));
    await out(user, "fork", "--name", "second", "first");
    await countsOn(user, "second", before);
    await countsOn(user, "first", before);
    const [firstLog = ""] = (await out(user, "logs", "second")).split("\n");
    assert.ok(Number(firstLog) >= before, `the log of the second begins with ${firstLog}`);
    const identity =
      "cat /sys/class/net/eth0/address; ip -4 addr show eth0 | grep inet; uuid=/proc/sys/kernel/random/uuid; cat $uuid; head -c 16 /dev/urandom | od -An -tx1";
    const [one, two] = await Promise.all(
      ["first", "second"].map((name) => out(user, "exec", name, "sh", "-c", identity)),
    );
    const others = new Set(two?.split("\n"));
    assert.deepEqual(
      one?.split("\n").filter((line) => others.has(line)),
      [],
    );
    await out(user, "exec", "second", "sh", "-c", "echo mine >/own");
    await refused(user, ["exec", "first", "cat", "/own"], /No such file/);
    const address = /inet ([0-9.]+)/.exec(one ?? "")?.[1] ?? "";
    assert.match(await out(user, "exec", "second", "ping", "-c", "1", "-W", "5", address), / 0% /);
    assert.deepEqual(snapshotFolders(user), []);
  });

  it("leaves a container that boots, ends and is removed as any other", async () => {
    await out(user, "stop", "-t", "0", "second");
    await out(user, "start", "second");
    assert.equal(await out(user, "exec", "second", "cat", "/own"), "mine");
    await out(user, "rm", "-f", "first", "second");
    assert.equal(await out(user, "ps", "-aq"), "");
  });
});

describe("dvm snapshot", () => {
  const user = freshUser();

  it("outlives its container and the daemon, and containers go on from it as often as one likes", async () => {
    await counting(user, "source", "--network", "none");
    await out(user, "snapshot", "create", "source", "kept");
    const before = Number(await lastLine(user, "source"));
    await out(user, "rm", "-f", "source");
    process.kill(lockHolder(join(user.dataRoot, LOCK_NAME)) ?? 0, "SIGKILL");
    for (const name of ["one", "two"]) {
      await out(user, "snapshot", "restore", "--name", name, "kept");
      await countsOn(user, name, before);
    }
    assert.match(await out(user, "snapshot", "ls"), /^kept +source +busybox /m);
  });

  it("gives containers that the next daemon takes over", async () => {
    process.kill(lockHolder(join(user.dataRoot, LOCK_NAME)) ?? 0, "SIGKILL");
    await countsOn(user, "one", Number(await lastLine(user, "one")));
    assert.equal(await out(user, "exec", "one", "echo", "there"), "there");
  });

  it("is removed with all that it had", async () => {
    await out(user, "rm", "-f", "one", "two");
    assert.equal(await out(user, "snapshot", "rm", "kept"), "kept");
    assert.deepEqual(snapshotFolders(user), []);
    await refused(user, ["snapshot", "restore", "kept"], /no such snapshot: kept/);
  });

  it("is refused, and the container runs on, where it cannot be", async () => {
    await counting(user, "busy", "--network", "none");
    for (const name of ["../x", "a/b", `${"x".repeat(300)}`]) {
      await refused(user, ["snapshot", "create", "busy", name], /invalid name of a snapshot/);
    }
    await out(user, "snapshot", "create", "busy", "same");
    await refused(user, ["snapshot", "create", "busy", "same"], /there is a snapshot same already/);
    await refused(user, ["fork", "--name", "busy", "busy"], /already in use/);
    await countsOn(user, "busy", Number(await lastLine(user, "busy")));
    await out(user, "create", "--name", "idle", "busybox", "true");
    await refused(user, ["snapshot", "create", "idle"], /is not running/);
    await counting(user, "shares", "--network", "none", "-v", `${user.folder}:/mnt`);
    await refused(user, ["fork", "shares"], /cannot be saved: it has volumes/);
    assert.equal(snapshotFolders(user).length, 1);
    assert.equal((await out(user, "ps", "-q")).split("\n").length, 2);
  });

  it("of a paused container is one of a paused container", async () => {
    await out(user, "pause", "busy");
    await out(user, "fork", "--name", "still", "busy");
    assert.match(await out(user, "ps", "--filter", "name=still"), /\(Paused\)/);
    const before = Number(await lastLine(user, "busy"));
    await setTimeout(500);
    assert.equal(Number(await lastLine(user, "busy")), before);
    await out(user, "unpause", "still");
    await until("it to count", async () => Number(await lastLine(user, "still")) > before);
  });

  it("that a daemon was killed at is not there, and its container runs on", async () => {
    await out(user, "unpause", "busy");
    const call = user.start(["snapshot", "create", "busy", "torn"]);
    await until("a draft", () => snapshotFolders(user).some((name) => name.startsWith("new-")));
    process.kill(lockHolder(join(user.dataRoot, LOCK_NAME)) ?? 0, "SIGKILL");
    await call.result;
    const before = Number(await lastLine(user, "busy"));
    await out(user, "unpause", "busy").catch(() => {});
    await countsOn(user, "busy", before);
    assert.ok(!(await out(user, "snapshot", "ls")).includes("torn"));
    assert.ok(!snapshotFolders(user).some((name) => name.startsWith("new-")));
  });
});
