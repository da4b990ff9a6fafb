import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { PROJECT_ROOT } from "../../engine/artifacts.ts";
import { startDaemon } from "../client/start-daemon.ts";
import { daemonPlaces } from "./daemon-places.ts";

const DVMD = join(PROJECT_ROOT, "bin", "dvmd");

/** A folder for a daemon's everything; its daemons are killed with it. */
function place() {
  const folder = mkdtempSync(join(tmpdir(), "dvm-dvmd-"));
  const children: ChildProcess[] = [];
  const socket = join(folder, "d.sock");
  const dataRoot = join(folder, "data");
  const environment = { ...process.env, DVM_NODE: process.execPath };
  const places = daemonPlaces({ host: `unix://${socket}`, dataRoot });
  return {
    socket,
    places,
    spawn: (...words: string[]) => {
      const child = spawn(DVMD, words, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
      children.push(child);
      return child;
    },
    words: ["--host", `unix://${socket}`, "--data-root", dataRoot],
    [Symbol.asyncDispose]: async () => {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      for (const path of [folder, places.runRoot]) rmSync(path, { recursive: true, force: true });
    },
  };
}

async function outcome(child: ChildProcess): Promise<{ code: number | null; err: string }> {
  let err = "";
  child.stderr?.on("data", (bytes) => {
    err += bytes;
  });
  const [code] = await once(child, "close");
  return { code, err };
}

/** Until the daemon's log says that it serves. */
async function serving(child: ChildProcess): Promise<void> {
  let text = "";
  for await (const bytes of child.stderr ?? []) {
    text += bytes;
    if (text.includes("dvmd serves")) return;
  }
  throw new Error(`dvmd ended: ${text}`);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("serves alone, takes its socket away at the end, and follows one that was killed", async () => {
  await using here = place();
  const first = here.spawn(...here.words);
  await serving(first);
  assert.equal(statSync(here.socket).mode & 0o777, 0o600);
  const second = await outcome(here.spawn(...here.words));
  assert.equal(second.code, 125);
  assert.match(second.err, new RegExp(`^dvmd: dvmd with pid ${first.pid} serves .* already\n`));
  first.kill("SIGKILL");
  await once(first, "exit");
  assert.ok(existsSync(here.socket));
  const third = here.spawn(...here.words);
  await serving(third);
  third.kill("SIGTERM");
  assert.equal((await once(third, "exit"))[0], 0);
  assert.ok(!existsSync(here.socket));
});

test("says what is wrong with its words", async () => {
  await using here = place();
  const unknown = await outcome(here.spawn("--colour"));
  assert.equal(unknown.code, 125);
  assert.match(unknown.err, /^dvmd: unknown option '--colour'/);
  const host = await outcome(here.spawn("--host", "tcp://0.0.0.0:2375"));
  assert.match(
    host.err,
    /^dvmd: unable to parse host "tcp:\/\/0\.0\.0\.0:2375": want unix:\/\/PATH/,
  );
});

test("is started by a client that finds none, once for two clients, and outlives them", async () => {
  await using here = place();
  const clients = await Promise.all([startDaemon(here.places), startDaemon(here.places)]);
  const pid = Number(readFileSync(`${here.places.dataRoot}/dvmd.lock`, "utf8"));
  try {
    for (const client of clients) {
      assert.match((await client.version()).ApiVersion, /^1\.\d+$/);
      client[Symbol.dispose]();
    }
    using again = await startDaemon(here.places);
    await again.ping();
    assert.equal(Number(readFileSync(`${here.places.dataRoot}/dvmd.lock`, "utf8")), pid);
  } finally {
    process.kill(pid, "SIGTERM");
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  }
});
