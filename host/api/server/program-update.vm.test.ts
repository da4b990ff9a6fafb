import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { PROJECT_ROOT } from "../../engine/artifacts.ts";
import { daemonPlaces } from "./daemon-places.ts";
import { LOCK_NAME } from "./lock-holder.ts";

/** A copy of dvm that a test may update, with a data root of its own. */
class OwnCopy implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), "dvm-update-"));
  readonly dataRoot = join(this.root, "data");

  constructor() {
    for (const name of ["bin", "host", "guest-agent", "package.json"]) {
      cpSync(join(PROJECT_ROOT, name), join(this.root, name), { recursive: true });
    }
    symlinkSync(join(PROJECT_ROOT, "node_modules"), join(this.root, "node_modules"));
    mkdirSync(join(this.root, "build"));
    for (const name of readdirSync(join(PROJECT_ROOT, "build"))) {
      if (name === "cli") continue;
      symlinkSync(join(PROJECT_ROOT, "build", name), join(this.root, "build", name));
    }
  }

  async dvm(...words: string[]): Promise<string> {
    const child = spawn(join(this.root, "bin", "dvm"), words, {
      env: { ...process.env, DVM_DATA_ROOT: this.dataRoot, DVM_TEMPLATE: "off", DVM_UPDATE: "" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pieces: Buffer[] = [];
    child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
    const [code] = await once(child, "close");
    assert.equal(code, 0, `dvm ${words.join(" ")}`);
    return Buffer.concat(pieces).toString();
  }

  /** What is told by `dvm version` of the daemon that runs. */
  daemonVersion(): Promise<string> {
    return this.dvm("info", "--format", "{{.ServerVersion}}");
  }

  update(version: string): void {
    const path = join(this.root, "host", "api", "server", "dvmd.ts");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace(/return String\(.*\);/, `return "${version}";`));
  }

  get daemon(): number {
    return Number(readFileSync(join(this.dataRoot, LOCK_NAME), "utf8"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dvm("ps", "-aq").then((ids) =>
      ids === "" ? undefined : this.dvm("rm", "-f", ...ids.trim().split("\n")),
    );
    process.kill(this.daemon, "SIGKILL");
    const { runRoot, socket } = daemonPlaces({ dataRoot: this.dataRoot }, {});
    for (const path of [this.root, runRoot, socket, `${socket}.lock`]) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

test("a daemon under which dvm is updated is renewed by the next command, and its containers run on", async () => {
  await using copy = new OwnCopy();
  const script = "trap 'echo after; exit 7' TERM; echo before; while :; do sleep 0.1; done";
  await copy.dvm("run", "-d", "--name", "one", "--network", "none", "busybox", "sh", "-c", script);
  const pid = copy.daemon;
  copy.update("9.9.9");
  assert.equal(await copy.daemonVersion(), "9.9.9\n");
  // in the same process, for whoever watches over it
  assert.equal(copy.daemon, pid);
  assert.equal(await copy.dvm("ps", "--format", "{{.Names}} {{.State}}"), "one running\n");
  assert.equal(await copy.dvm("exec", "one", "echo", "here"), "here\n");
  await copy.dvm("stop", "one");
  assert.equal(await copy.dvm("wait", "one"), "7\n");
  assert.equal(await copy.dvm("logs", "one"), "before\nafter\n");
});
