import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { digestOf } from "../image/digest.ts";
import { dockerArchive, TestLayout } from "../image/test-support/image-builder.ts";
import { layer, one, two } from "../image/test-support/world.ts";

const BIN = join(import.meta.dirname, "..", "..", "bin");
const NAMES = { root: 0, mallory: 4242, eve: 4243 } as const;
type Name = keyof typeof NAMES;

/** Why it cannot be tried here. */
const noRoot = process.getuid?.() === 0 ? false : "another user can be had by root only";

let folder: string;
let daemon: ChildProcess;

before(async () => {
  if (noRoot) return;
  folder = mkdtempSync(join(tmpdir(), "dvm-users-"));
  chmodSync(folder, 0o755);
  for (const name of Object.keys(NAMES)) mkdirSync(join(folder, name), { mode: 0o777 });
  for (const name of Object.keys(NAMES)) chmodSync(join(folder, name), 0o777);
  const words = ["--shared", "--host", `unix://${folder}/d.sock`, "--data-root", `${folder}/data`];
  const env = { ...process.env, DVM_TEMPLATE: "off", DVM_UPDATE: "off" };
  daemon = spawn(join(BIN, "dvmd"), words, { env, stdio: "ignore" });
  while (!existsSync(join(folder, "d.sock"))) {
    assert.equal(daemon.exitCode, null, "dvmd ended at its start");
    await delay(20);
  }
  await as("root", ["load"], dockerArchive({ layers: [one] }, ["corp/base:1"]));
});

after(async () => {
  if (noRoot) return;
  daemon.kill("SIGKILL");
  if (daemon.exitCode === null) await once(daemon, "exit");
  rmSync(folder, { recursive: true, force: true });
});

/** Calls dvm as a user of the machine. */
async function as(name: Name, words: readonly string[], input: Buffer | string = "") {
  const child = spawn(join(BIN, "dvm"), words, {
    uid: NAMES[name],
    gid: NAMES[name],
    cwd: "/",
    env: {
      PATH: process.env.PATH,
      HOME: join(folder, name),
      DVM_NODE: process.execPath,
      DVM_HOST: `unix://${folder}/d.sock`,
    },
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [bytes, err, [code]] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { code, out: bytes.toString("latin1"), err };
}

describe("another user at a shared daemon", { skip: noRoot }, () => {
  test("finds none of its images, by name or by ID", async () => {
    const id = (await as("root", ["images", "-q", "--no-trunc"])).out.trim();
    assert.match(id, /^sha256:/);
    assert.equal((await as("mallory", ["images", "-q"])).out, "");
    for (const words of [
      ["save", id],
      ["image", "inspect", "corp/base:1"],
      ["tag", id.slice(7, 19), "mine:1"],
      ["rmi", "-f", "corp/base:1"],
    ]) {
      const { err } = await as("mallory", words);
      assert.match(err, /No such image/, words.join(" "));
    }
    await as("mallory", ["image", "prune", "-af"]);
    assert.equal((await as("root", ["images", "-q", "--no-trunc"])).out.trim(), id);
  });

  test("may give its own image the same name, and runs nobody else's", async () => {
    const before = (await as("root", ["images", "-q", "corp/base"])).out;
    const { out } = await as(
      "mallory",
      ["load"],
      dockerArchive({ layers: [two] }, ["corp/base:1"]),
    );
    assert.equal(out, "Loaded image: corp/base:1\n");
    const theirs = (await as("mallory", ["images", "-q", "corp/base"])).out;
    assert.notEqual(theirs, before);
    const byName = await as("root", ["image", "inspect", "-f", "{{.Id}}", "corp/base:1"]);
    assert.equal(byName.out.slice(7, 19), before.trim());
    assert.equal((await as("eve", ["images", "-q"])).out, "");
  });

  test("does not get a layer of which it knows the digest alone", async () => {
    const secret = layer("secret", "of root");
    await as("root", ["load"], dockerArchive({ layers: [secret] }, ["corp/secret:1"]));
    const layout = new TestLayout(join(folder, "hollow"));
    layout.list(layout.image({ layers: [secret] }), { tag: "stolen" });
    rmSync(layout.blobPath(digestOf(secret.tar)));
    const { code, err } = await as("mallory", ["load", "-i", layout.path]);
    assert.equal(code, 1, err);
    const saved = await as("mallory", ["save", "stolen"]);
    assert.match(saved.err, /No such image/);
  });

  test("has volumes and networks of its own under names that are taken", async () => {
    for (const kind of ["volume", "network"]) {
      await as("root", [kind, "create", "data"]);
      const made = await as("mallory", [kind, "create", "data"]);
      assert.equal(made.code, 0, made.err);
      const place = kind === "volume" ? "{{.Mountpoint}}" : "{{.Id}}";
      const look = (name: Name) => as(name, [kind, "inspect", "-f", place, "data"]);
      const [roots, mallorys] = [await look("root"), await look("mallory")];
      assert.notEqual(roots.out, mallorys.out);
      assert.match((await look("eve")).err, /no such volume|not found/);
      assert.equal((await as("mallory", [kind, "rm", "data"])).code, 0);
      assert.equal((await as("mallory", [kind, "rm", "data"])).code, 1);
      assert.equal((await look("root")).out, roots.out);
    }
  });

  test("hears of none of what others do, and reclaims nothing of theirs", async () => {
    const since = `${Math.floor(Date.now() / 1000) - 60}`;
    await as("root", ["tag", "corp/base:1", "corp/base:2"]);
    const until = `${Math.floor(Date.now() / 1000) + 1}`;
    const told = async (name: Name) =>
      (await as(name, ["events", "--since", since, "--until", until, "--format", "{{.Action}}"]))
        .out;
    assert.match(await told("root"), /^tag$/m);
    assert.equal(await told("eve"), "");
    await as("eve", ["system", "prune", "-af", "--volumes"]);
    assert.match((await as("root", ["volume", "ls", "-q"])).out, /^data$/m);
    assert.match((await as("root", ["network", "ls"])).out, / data /);
    assert.match((await as("root", ["images"])).out, /corp\/base +2/);
  });

  test("is told in words that a data root is not theirs", async () => {
    chmodSync(join(folder, "data"), 0o700);
    writeFileSync(join(folder, "data", "x"), "");
    const child = spawn(join(BIN, "dvm"), ["--data-root", join(folder, "data"), "images"], {
      uid: NAMES.mallory,
      gid: NAMES.mallory,
      cwd: "/",
      env: { PATH: process.env.PATH, HOME: join(folder, "mallory"), DVM_NODE: process.execPath },
    });
    const [err, [code]] = await Promise.all([text(child.stderr), once(child, "close")]);
    assert.match(err, /^dvm: cannot use the data root .*\n {2}hint: check whose folder it is/);
    assert.equal(code, 1);
  });
});
