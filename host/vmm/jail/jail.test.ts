import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { jailed, jailSettings } from "./jail.ts";
import type { JailEntry } from "./settings.ts";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "dvm-jail-"));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "own"));
  chmodSync(join(folder, "own"), 0o777);
  writeFileSync(join(folder, "given"), "given\n");
  writeFileSync(join(folder, "secret"), "secret\n");
});
after(() => rmSync(folder, { recursive: true }));

/** Root as it is, root where no mount namespaces can be had, and a user without rights. */
const WORLDS = {
  "for root": (command: readonly string[]) => spawnSync(command[0] ?? "", command.slice(1)),
  "where there are no namespaces": (command: readonly string[]) =>
    spawnSync("unshare", [
      ...["--user", "--map-root-user", "sh", "-c"],
      ...['echo 0 > /proc/sys/user/max_mnt_namespaces; exec "$@"', "sh", ...command],
    ]),
  "for any user": (command: readonly string[]) =>
    spawnSync(command[0] ?? "", command.slice(1), { uid: 65534, gid: 65534 }),
} as const;

for (const [world, run] of Object.entries(WORLDS)) {
  const inJail = (script: string) => {
    const { stdout, stderr, status } = run(jailed(shell(script, { outlivesUs: true })));
    return { out: stdout.toString(), err: stderr.toString(), status };
  };

  describe(`a program in the jail, ${world}`, { skip: refusal(world) }, () => {
    it("reads what it was given, and writes what it may write", () => {
      const script = `read line < ${folder}/given; echo $line; echo mine > ${folder}/own/$$ && read line < ${folder}/own/$$; echo $line`;
      assert.deepEqual(inJail(script), { out: "given\nmine\n", err: "", status: 0 });
    });

    it("cannot write what it may only read", () => {
      const { err } = inJail(`echo spoilt > ${folder}/given`);
      assert.match(err, /given: (Read-only file system|Permission denied)/);
      assert.equal(readFileSync(join(folder, "given"), "utf8"), "given\n");
    });

    it("finds no other file, nor a way to the kernel's settings", () => {
      const files = [`${folder}/secret`, "/etc/passwd", "/proc/1/status", "/sys/kernel/mm"];
      const tries = files.map((path) => `{ read l < ${path} && echo ${path}; } 2>/dev/null`);
      const writes = "echo x 2>/dev/null > /proc/sys/kernel/core_pattern && echo written";
      assert.equal(inJail([...tries, writes, "true"].join("; ")).out, "");
    });

    it("has no capability, and gains none", () => {
      const { out } = inJail("grep -E '^(Cap|NoNewPrivs)' /proc/self/status");
      const rights = out.trim().split(/\s+/);
      assert.deepEqual(
        rights.filter((_, index) => index % 2 === 1).map(Number),
        [0, 0, 0, 0, 0, 1],
      );
    });

    it("can signal itself and nobody else, and makes no namespaces", () => {
      const { out } = inJail(
        `kill -0 $$ && echo self; kill -0 ${process.pid} 2>/dev/null && echo other; unshare --user true 2>/dev/null && echo namespace; true`,
      );
      assert.equal(out, "self\n");
    });

    it("has no socket but of files", () => {
      // AF_UNIX, AF_INET, AF_NETLINK and AF_INET6
      const calls =
        'print join " ", map { socket(my $s, $_, 1, 0) ? "made" : 0 + $! } 1, 2, 16, 10';
      assert.deepEqual(inJail(`exec perl -e '${calls}'`), {
        out: "made 13 13 13",
        err: "",
        status: 0,
      });
    });

    it("reaches nobody else by queued signals, limits or the owner of a file", () => {
      // rt_sigqueueinfo, rt_tgsigqueueinfo, prlimit64, F_SETOWN, FIOSETOWN and SIOCSPGRP; then its own limits
      const calls = `my ($p, $i) = (${process.pid}, pack("iiix116", 0, 0, -1));
        print join " ", syscall(129, $p, 0, $i), syscall(297, $p, $p, 0, $i),
          syscall(302, $p, 7, 0, 0), fcntl(STDIN, 8, $p) // "no",
          map({ ioctl(STDIN, $_, $i) ? "set" : 0 + $! } 0x8901, 0x8902), syscall(302, 0, 7, 0, 0)`;
      assert.deepEqual(inJail(`exec perl -e '${calls}'`), {
        out: "-1 -1 -1 no 1 1 0",
        err: "",
        status: 0,
      });
    });
  });
}

/** Why a world cannot be had here. */
function refusal(world: string): string | false {
  if (process.getuid?.() === 0) return false;
  return world === "for root" || world === "for any user" ? "needs root" : false;
}

function shell(script: string, options: { outlivesUs: boolean; entries?: readonly JailEntry[] }) {
  const entries = options.entries ?? [
    { path: join(folder, "given"), access: "read" },
    { path: join(folder, "own"), access: "write" },
  ];
  return {
    command: ["/bin/bash", "--norc", "-c", script] as const,
    entries,
    outlivesUs: options.outlivesUs,
  };
}

it("a socket of the host cannot be reached by its path", async () => {
  const path = join(folder, "socket");
  const server = createServer((connection) => connection.end("come in"));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const talk = `require("node:net").connect(${JSON.stringify(path)}).once("connect", () => console.error("talked"))`;
  const command = [process.execPath, "-e", talk] as const;
  const [program, ...rest] = jailed({ ...shell("", { outlivesUs: true }), command: [...command] });
  const child = spawn(program, rest, { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  for await (const text of child.stderr) complaint += String(text);
  server.close();
  assert.match(complaint, /connect (ENOENT|EACCES)/);
});

it("a program that is not to outlive who started it ends with that", async () => {
  const [program, ...rest] = jailed(shell("echo up; sleep 100", { outlivesUs: false }));
  // the settings name this process as the parent, so a shell between the two is none
  const orphan = spawnSync("sh", ["-c", '"$@"; echo $?', "sh", program, ...rest]);
  assert.match(orphan.stderr.toString(), /the process that asked for this is no more/);
  assert.equal(orphan.stdout.toString(), "125\n");

  const settings = JSON.stringify({ ...JSON.parse(rest[0] ?? ""), parent: undefined });
  const script = `import { spawn } from "node:child_process"; const settings = ${settings}; spawn(${JSON.stringify(program)}, [JSON.stringify({ ...settings, parent: process.pid })], { stdio: ["ignore", 1, 2] });`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script]);
  for await (const text of parent.stdout) {
    if (String(text).includes("up")) break;
  }
  parent.kill("SIGKILL");
  while (sleepers(folder).length > 0) await setTimeout(5);
});

/** Processes whose settings name the folder. */
function sleepers(name: string): string[] {
  const { stdout } = spawnSync("pgrep", ["-f", name]);
  return stdout.toString().split("\n").filter(Boolean);
}

it("a file that is not there is named", () => {
  const entries = [{ path: join(folder, "absent"), access: "read" }] as const;
  const [program, ...rest] = jailed(shell("true", { outlivesUs: true, entries }));
  const { status, stderr } = spawnSync(program, rest);
  assert.equal(status, 125);
  assert.match(stderr.toString(), /^dvm-jail: open_tree .*absent: ENOENT$/m);
});

it("what a folder gives already is not named twice", () => {
  const given = (path: string, access: JailEntry["access"]) => ({ path, access });
  const { entries } = jailSettings({
    command: ["/bin/sh"],
    outlivesUs: true,
    entries: [
      given("/a/b/c", "read"),
      given("/a/b", "write"),
      given("/a/b/c", "write"),
      given("/ab", "read"),
      given("/d", "read"),
      given("/d/e", "write"),
    ],
  });
  const own = entries.filter(({ path }) => /^\/(a|ab|d)(\/|$)/.test(path));
  assert.deepEqual(own.map(({ path, access }) => `${path} ${access}`).sort(), [
    "/a/b write",
    "/ab read",
    "/d read",
    "/d/e write",
  ]);
});
