import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type DvmResult, TestUser, until } from "./test-dvm.ts";
import { onTerminal } from "./test-pty.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

/** Calls dvm, which has to succeed. @returns its output */
async function dvm(...words: string[]): Promise<string> {
  const { out, err, code } = await user.dvm(words);
  assert.equal(code, 0, `dvm ${words.join(" ")}: ${err}`);
  return out;
}

/** Output and exit code of one that may fail. */
async function outcome(...words: string[]): Promise<Pick<DvmResult, "code" | "out" | "err">> {
  return await user.dvm(words);
}

const COUNT = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done";

describe("a container in the background", () => {
  before(async () => {
    const { out, err } = await outcome("run", "-d", "--name", "web", "busybox", "sh", "-c", COUNT);
    assert.match(out, /^[0-9a-f]{64}\n$/, err);
    assert.equal(err, "");
  });
  after(() => user.dvm(["rm", "-f", "web"]));

  it("is seen by ps, inspect, top and stats", async () => {
    assert.match(await dvm("ps"), / busybox +"sh -c 'i=0; while :…" .* Up .* web\n$/);
    assert.equal(
      await dvm("inspect", "-f", "{{.State.Status}} {{.Name}}", "web"),
      "running /web\n",
    );
    assert.match(await dvm("top", "web"), /^UID +PID .*CMD\n(.*\n)*.*while/);
    const stats = await dvm("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", "web");
    assert.match(stats, /^web [\d.]+MiB \/ [\d.]+MiB\n$/);
  });

  it("tells what it writes to logs, and to logs -f as it comes", async () => {
    const follow = user.start(["logs", "-f", "web"]);
    await follow.says("line 3\n");
    const at = Number(/line (\d+)\n$/.exec(await dvm("logs", "-n", "1", "web"))?.[1]);
    await follow.says(`line ${at + 2}\n`);
    follow.child.kill("SIGTERM");
    await follow.result;
  });

  it("runs further commands, as other users, with input, and tells their exit codes", async () => {
    const script = "id -un; pwd; echo $A; echo err >&2; exit 7";
    const words = ["exec", "-u", "nobody", "-w", "/etc", "-e", "A=b", "web", "sh", "-c", script];
    assert.deepEqual(await outcome(...words), { code: 7, out: "nobody\n/etc\nb\n", err: "err\n" });
    const input = "x".repeat(100_000);
    const counted = await user.dvm(["exec", "-i", "web", "wc", "-c"], input);
    assert.equal(counted.out.trim(), String(input.length));
    const missing = await outcome("exec", "web", "nosuch");
    // as with Docker the failure is part of the command's own output
    assert.match(missing.out, /exec: "nosuch": executable file not found/);
    assert.equal(missing.code, 127);
    await dvm("exec", "-d", "web", "touch", "/made");
    await until("the file", async () => (await outcome("exec", "web", "ls", "/made")).code === 0);
  });

  it("can be paused, and goes on", async () => {
    await dvm("pause", "web");
    assert.match(await dvm("ps"), / Up .*\(Paused\)/);
    assert.match((await outcome("exec", "web", "true")).err, /is paused/);
    await dvm("unpause", "web");
    assert.equal((await outcome("exec", "web", "true")).code, 0);
  });

  it("keeps what it wrote over an end and a new start", async () => {
    await dvm("exec", "web", "sh", "-c", "echo kept > /kept");
    assert.equal(await dvm("stop", "-t", "1", "web"), "web\n");
    assert.match(await dvm("ps", "-a", "--format", "{{.Status}}"), /^Exited \(137\)/);
    await dvm("start", "web");
    assert.equal(await dvm("exec", "web", "cat", "/kept"), "kept\n");
  });

  it("lets its limits and its name be changed", async () => {
    await dvm("update", "--memory", "64m", "--memory-swap", "64m", "web");
    const limit = await dvm("exec", "web", "cat", "/sys/fs/cgroup/memory.max");
    assert.equal(limit, `${64 * 1024 * 1024}\n`);
    await dvm("rename", "web", "other");
    assert.equal((await outcome("inspect", "web")).code, 1);
    await dvm("rename", "other", "web");
  });

  it("tells its end to wait and to events, and takes signals", async () => {
    const id = (await dvm("ps", "-q", "--no-trunc")).trim();
    const events = user.start(["events", "-f", `container=${id}`, "--format", "{{.Action}}"]);
    const waiting = user.start(["wait", id]);
    // until they listen
    await until("the events", async () => {
      await dvm("rename", "web", "web2");
      await dvm("rename", "web2", "web");
      return events.output().includes("rename");
    });
    await dvm("kill", "web");
    assert.deepEqual(await waiting.result, { code: 0, out: "137\n", err: "" });
    await events.says("die\n");
    events.child.kill("SIGTERM");
    assert.match((await events.result).out, /kill\n(.*\n)*die\n/);
  });

  it("is removed by rm -f while it runs", async () => {
    await dvm("start", "web");
    assert.match((await outcome("rm", "web")).err, /container is running/);
    assert.equal(await dvm("rm", "-f", "web"), "web\n");
    assert.deepEqual(user.leftovers(), []);
  });
});

describe("a daemon that is killed", () => {
  it("leaves a foreground container running, whose client goes on with the next daemon, and loses no line", async () => {
    const script = "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo $i; sleep 0.1; done; cat; exit 7";
    const call = user.start(["run", "--rm", "-i", "busybox", "sh", "-c", script], null);
    await call.says("\n10\n");
    assert.ok(user.daemon);
    process.kill(user.daemon, "SIGKILL");
    await call.says("\n60\n");
    call.child.stdin?.end("typed\n");
    const { code, out, err } = await call.result;
    const lines = Array.from({ length: 60 }, (_, index) => `${index + 1}\n`);
    assert.equal(out, `${lines.join("")}typed\n`);
    assert.deepEqual([code, err], [7, ""]);
    assert.deepEqual(user.leftovers(), []);
  });
});

describe("dvm cp", () => {
  const folder = join(user.folder, "files");

  before(async () => {
    mkdirSync(join(folder, "tree", "sub"), { recursive: true });
    writeFileSync(join(folder, "tree", "a"), "content a", { mode: 0o640 });
    writeFileSync(join(folder, "tree", "sub", "b"), "x".repeat(200_000));
    symlinkSync("a", join(folder, "tree", "link"));
    await dvm("create", "--name", "box", "busybox", "sleep", "1000");
  });
  after(() => user.dvm(["rm", "-f", "box"]));

  for (const state of ["stopped", "running"])
    it(`carries trees both ways, into a ${state} container`, async () => {
      if (state === "running") await dvm("start", "box");
      await dvm("cp", `${folder}/tree`, `box:/${state}`);
      const back = join(folder, state);
      await dvm("cp", `box:/${state}`, back);
      execFileSync("diff", ["-r", "--no-dereference", join(folder, "tree"), back]);
      const listed = execFileSync("stat", ["-c", "%a %F", join(back, "a"), join(back, "link")]);
      assert.match(listed.toString(), /^640 regular file\n777 symbolic link\n$/);
    });

  it("puts files where the rules of Docker say", async () => {
    await dvm("cp", `${folder}/tree/a`, "box:/tmp/");
    assert.equal(await dvm("exec", "box", "cat", "/tmp/a"), "content a");
    await dvm("cp", `${folder}/tree/a`, "box:/tmp/renamed");
    assert.equal(await dvm("exec", "box", "cat", "/tmp/renamed"), "content a");
    await dvm("cp", `${folder}/tree/.`, "box:/var");
    assert.equal(await dvm("exec", "box", "cat", "/var/a"), "content a");
    await dvm("cp", "-L", "box:/running/link", join(folder, "followed"));
    assert.equal(readFileSync(join(folder, "followed"), "utf8"), "content a");
    const { out } = await user.shell('"$DVM" cp box:/etc/passwd - | tar t');
    assert.equal(out, "passwd\n");
    await user.shell(
      `tar c -C ${folder} tree | "$DVM" cp - box:/opt2 || "$DVM" exec box mkdir /opt2`,
    );
    await user.shell(`tar c -C ${folder} tree | "$DVM" cp - box:/opt2`);
    assert.equal(await dvm("exec", "box", "cat", "/opt2/tree/a"), "content a");
  });

  it("says what is not there, and what does not fit", async () => {
    assert.match((await outcome("cp", "box:/nosuch", "x")).err, /\/nosuch/);
    assert.match((await outcome("cp", `${folder}/nosuch`, "box:/")).err, /no such file/);
    const onto = await outcome("cp", `${folder}/tree`, "box:/etc/passwd");
    assert.match(onto.err, /cannot copy a folder onto a file/);
    assert.equal(onto.code, 1);
  });

  it("shows in diff, goes into export, and into an image by commit", async () => {
    const changes = await dvm("diff", "box");
    assert.match(changes, /^A \/running\/sub\/b$/m);
    assert.match(changes, /^C \/tmp$/m);
    const { out } = await user.shell('"$DVM" export box | tar t');
    assert.match(out, /^running\/sub\/b$/m);
    const id = await dvm("commit", "-c", 'CMD ["cat", "/running/a"]', "box", "made:1");
    assert.match(id, /^sha256:[0-9a-f]{64}\n$/);
    assert.equal(await dvm("run", "--rm", "made:1"), "content a");
    assert.match((await outcome("rmi", "nosuch")).err, /no such image/i);
  });
});

describe("a terminal", () => {
  after(() => user.dvm(["rm", "-f", "term"]));

  it("leaves a container by the detach keys, comes back by attach, and exec has one of its own", async () => {
    const run = '"$DVM" run -q -it --name term busybox sh; echo "left with $?"';
    const left = await onTerminal(user, run, [
      ["/ # ", "echo in $((40 + 2))\r"],
      ["in 42", "\x10\x11"],
    ]);
    assert.match(left, /left with 0\r\n$/);
    assert.match(await dvm("ps"), / Up .* term\n$/);
    const exec = 'stty rows 17 columns 71; "$DVM" exec -it term sh; echo "left with $?"';
    const inside = await onTerminal(user, exec, [["/ # ", "tty; stty size; exit 5\r"]]);
    assert.match(inside, /\/dev\/pts\/1\r\n17 71\r\n/);
    assert.match(inside, /left with 5\r\n$/);
    const attach = 'echo go; "$DVM" attach --detach-keys ctrl-a,x term; echo "left with $?"';
    const again = await onTerminal(user, attach, [
      ["go", "echo again $((20 + 1))\r"],
      ["again 21", "\x01x"],
    ]);
    assert.match(again, /read escape sequence\r*\nleft with 1\r\n$/);
    const end = await onTerminal(user, 'echo go; "$DVM" attach term; echo "left with $?"', [
      ["go", "exit 3\r"],
    ]);
    assert.match(end, /left with 3\r\n$/);
    assert.match(await dvm("ps", "-a", "--format", "{{.Status}}"), /^Exited \(3\)/m);
    const started = await onTerminal(user, '"$DVM" start -ai term; echo "left with $?"', [
      ["/ # ", "exit 4\r"],
    ]);
    assert.match(started, /left with 4\r\n$/);
  });
});
