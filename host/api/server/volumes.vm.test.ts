import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { enginePaths } from "../../engine/paths.ts";
import { noDocker, TestDvmd } from "./test-dvmd.ts";

const dvmd = new TestDvmd();
const docker = dvmd.docker.bind(dvmd);
const succeed = dvmd.succeed.bind(dvmd);
const skip = await noDocker();
const folder = mkdtempSync(join(tmpdir(), "dvm-volumes-"));
/** With what a shell, printf or the kernel's list of mounts could make something else of. */
const share = join(folder, "sh are %s'x\\y");

/** Runs a script in a busybox that is removed with what it leaves. @returns its output */
function sh(script: string, ...words: string[]): Promise<string> {
  return succeed("run", "--rm", "--network", "none", ...words, "busybox", "sh", "-c", script);
}

/** Whatever of the test's machines still runs. */
function servers(): string {
  const all = execFileSync("ps", ["-eo", "stat,args"], { encoding: "utf8" }).split("\n");
  const { dataRoot, runRoot } = enginePaths(process.env, dvmd.dataRoot);
  return all
    .filter((line) => /virtiofsd|qemu-system/.test(line) && !line.startsWith("Z"))
    .filter((line) => line.includes(dataRoot) || line.includes(runRoot))
    .join("\n");
}

describe("volumes and folders of the host, by the stock docker client", { skip }, () => {
  before(() => dvmd.start());
  after(async () => {
    await dvmd[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    rmSync(share, { recursive: true, force: true });
    mkdirSync(share);
  });

  it("shares a folder both ways, owners and modes as they are", async () => {
    writeFileSync(join(share, "from-host"), "hello\n");
    const script = "cat /s/from-host; echo in > /s/made; chmod 640 /s/made; stat -c %u:%g /s";
    assert.equal(await sh(script, "-v", `${share}:/s`), "hello\n0:0\n");
    assert.equal(readFileSync(join(share, "made"), "utf8"), "in\n");
    const { mode, uid } = statSync(join(share, "made"));
    assert.deepEqual([mode & 0o777, uid], [0o640, process.getuid?.()]);
    assert.equal(servers(), "");
  });

  it("refuses writes to a read-only folder on the host, whatever the guest's root mounts", async () => {
    mkdirSync(join(share, "sub"));
    const script =
      "mount -o remount,rw /s && touch /s/x; touch /s/sub/x; rm -rf /s/sub; chmod 777 /s; ls /s";
    const words = ["--privileged", "-v", `${share}:/s:ro`];
    assert.equal(await sh(script, ...words), "sub\n");
    assert.deepEqual(readdirSync(share), ["sub"]);
  });

  it("shares a single file without those beside it", async () => {
    writeFileSync(join(share, "secret"), "secret");
    writeFileSync(join(share, "file"), "one\n");
    const file = join(share, "file");
    const words = ["--privileged", "-v", `${file}:/etc/f`, "-v", `${file}:/ro/f:ro`];
    const script =
      "cat /etc/f; echo two > /etc/f; (echo three > /ro/f) 2>&1; mkdir /all && mount -t virtiofs dvm /all && find /all/ /all/.. -name secret; find /all -type f | wc -l";
    const out = await sh(script, ...words);
    assert.equal(out, "one\nsh: can't create /ro/f: Read-only file system\n2\n");
    assert.equal(readFileSync(file, "utf8"), "two\n");
  });

  it("leads no link out of the folder, however fast others change it", async () => {
    writeFileSync(join(folder, "outside"), "outside\n");
    mkdirSync(join(share, "d"));
    writeFileSync(join(share, "d", "outside"), "inside\n");
    symlinkSync("../outside", join(share, "up"));
    symlinkSync(folder, join(share, "absolute"));
    const script =
      "cat /s/up /s/absolute/outside 2>/dev/null; i=0; while [ $i -lt 400 ]; do cat /s/d/outside 2>/dev/null; i=$((i+1)); done | sort -u; touch /s/done";
    const running = sh(script, "-v", `${share}:/s`);
    let swaps = 0;
    while (!existsSync(join(share, "done"))) {
      renameSync(join(share, "d"), join(share, "kept"));
      symlinkSync(folder, join(share, "d"));
      rmSync(join(share, "d"));
      renameSync(join(share, "kept"), join(share, "d"));
      swaps++;
      await delay(1);
    }
    assert.equal(await running, "inside\n");
    assert.ok(swaps > 100);
  });

  it("makes what -v names and misses, and not what --mount does", async () => {
    const missing = join(share, "a", "b");
    await sh("touch /s/x", "-v", `${missing}:/s`);
    assert.ok(existsSync(join(missing, "x")));
    const mount = `type=bind,source=${join(share, "none")},target=/s`;
    const { code, err } = await docker(["run", "--rm", "--mount", mount, "busybox", "true"]);
    assert.equal(code, 125);
    assert.match(err, /bind source path does not exist: /);
  });

  it("keeps what is in a named volume, and many containers have it at once", async () => {
    await succeed("volume", "create", "--label", "kind=test", "kept");
    await sh("echo one > /v/f", "-v", "kept:/v");
    await succeed("run", "-d", "--name", "user", "-v", "kept:/v", "busybox", "sleep", "100");
    assert.equal(await sh("cat /v/f; echo two > /v/f", "-v", "kept:/v:rw"), "one\n");
    assert.equal(await succeed("exec", "user", "cat", "/v/f"), "two\n");
    assert.equal(await succeed("volume", "ls", "-q", "-f", "label=kind=test"), "kept\n");
    assert.match((await docker(["volume", "rm", "kept"])).err, /volume is in use/);
    const format = "{{(index .Mounts 0).Name}} {{(index .Mounts 0).RW}}";
    assert.equal(await succeed("inspect", "-f", format, "user"), "kept true\n");
    await succeed("rm", "-f", "user");
    await succeed("volume", "rm", "kept");
    assert.match((await docker(["volume", "inspect", "kept"])).err, /no such volume/);
  });

  it("gives an empty volume what the image has there, owners and links included", async () => {
    const context = join(folder, "image");
    mkdirSync(join(context, "data"), { recursive: true });
    mkdirSync(join(context, "bin"));
    const busybox = await succeed("create", "busybox", "true");
    await succeed("cp", `${busybox.trim()}:/bin/busybox`, join(context, "bin", "busybox"));
    writeFileSync(join(context, "data", "f"), "content\n");
    symlinkSync("f", join(context, "data", "link"));
    const tar = ["--owner=33", "--group=44", "-C", context, "-c", "bin", "data"];
    const archive = execFileSync("tar", tar, { maxBuffer: 1 << 26 }).toString("latin1");
    writeFileSync(join(folder, "image.tar"), archive, "latin1");
    const image = ["--change", "VOLUME /data", join(folder, "image.tar"), "withvolume"];
    await succeed("import", ...image);
    const run = (script: string, ...words: string[]) =>
      succeed("run", ...words, "withvolume", "/bin/busybox", "sh", "-c", script);
    const look = "busybox cat /data/link; busybox stat -c %u:%g /data /data/f";
    assert.equal(await run(look, "--rm", "-v", "filled:/data"), "content\n33:44\n33:44\n");
    await run("busybox rm /data/f", "--rm", "-v", "filled:/data");
    assert.equal(await run("busybox ls /data", "--rm", "-v", "filled:/data"), "link\n");
    assert.equal(await run("busybox ls /data", "--rm", "-v", "bare:/data:nocopy"), "");
    // volumes without a name: they go with --rm, stay with rm, and go with rm -v
    const volumes = async () => (await succeed("volume", "ls", "-q")).split("\n").length - 1;
    const count = await volumes();
    await run(look, "--rm");
    assert.equal(await volumes(), count);
    await run("echo mine > /data/f", "--name", "owner");
    assert.equal(await volumes(), count + 1);
    const others = ["--rm", "--volumes-from", "owner:ro"];
    const peek = "busybox cat /data/f; (echo no > /data/f) 2>/dev/null || echo refused";
    assert.equal(await run(peek, ...others), "mine\nrefused\n");
    assert.equal(await volumes(), count + 1);
    await succeed("rm", "-v", "owner");
    assert.equal(await volumes(), count);
    await run("true", "--name", "owner");
    await succeed("rm", "owner");
    assert.match(await succeed("volume", "prune", "-f"), /Deleted Volumes:\n[0-9a-f]{64}\n/);
    await succeed("volume", "rm", "filled", "bare");
  });

  it("keeps on a disk volume what was synced when its machine is killed", async () => {
    await succeed("volume", "create", "-o", "type=disk", "-o", "size=64m", "disk");
    await sh("echo one > /v/f; df -m /v | tail -1 | awk '{ exit $2 > 64 }'", "-v", "disk:/v");
    const script = "cat /v/f; echo two > /v/f; sync; echo synced; echo three > /v/g; sleep 100";
    const words = ["--network", "none", "-v", "disk:/v", "busybox", "sh", "-c", script];
    await succeed("run", "-d", "--name", "writer", ...words);
    while (!(await succeed("logs", "writer")).includes("synced")) await delay(20);
    assert.equal(await succeed("logs", "writer"), "one\nsynced\n");
    const { code, err } = await docker(["run", "--rm", "-v", "disk:/v", "busybox", "true"]);
    assert.equal(code, 125);
    assert.match(err, /volume disk is a disk and container [0-9a-f]{64} has it/);
    process.kill(Number(await succeed("inspect", "-f", "{{.State.Pid}}", "writer")), "SIGKILL");
    await succeed("wait", "writer");
    assert.equal(await sh("cat /v/f", "-v", "disk:/v"), "two\n");
    await succeed("rm", "writer");
    const attempt =
      "cat /v/f; d=$(mount | grep ' /v ' | cut -d' ' -f1); mount -o remount,rw /v 2>&1 | grep -c . ; (echo x > /v/f) 2>/dev/null || echo refused; mknod /blk b $(tr : ' ' < /sys/block/$(basename $d)/dev) && (dd if=/dev/zero of=/blk count=1 2>/dev/null || echo refused)";
    const readers = ["--privileged", "-v", "disk:/v:ro"];
    assert.equal(await sh(attempt, ...readers), "two\n1\nrefused\nrefused\n");
    await succeed("volume", "rm", "disk");
  });

  it("copies into and out of volumes, whether the container runs or not", async () => {
    const mount = "type=volume,src=cpdisk,dst=/d,volume-opt=type=disk,volume-opt=size=32m";
    const words = ["-v", "cp:/v", "-v", `${share}:/s:ro`, "--mount", mount, "busybox"];
    await succeed("create", "--name", "copied", ...words, "cat", "/v/f", "/d/f");
    const file = join(folder, "f");
    writeFileSync(file, "copied\n");
    await succeed("cp", file, "copied:/v/f");
    await succeed("cp", file, "copied:/d/f");
    assert.equal((await docker(["cp", file, "copied:/s/f"])).code, 1);
    assert.equal(await succeed("start", "-a", "copied"), "copied\ncopied\n");
    await succeed("rm", "copied");
    await succeed("run", "-d", "--name", "copied", ...words, "sleep", "100");
    await succeed("cp", file, "copied:/v/g");
    assert.equal(await succeed("exec", "copied", "cat", "/v/g"), "copied\n");
    assert.equal((await docker(["cp", file, "copied:/s/f"])).code, 1);
    await succeed("rm", "-f", "copied");
    await succeed("volume", "rm", "cp", "cpdisk");
  });

  it("mounts a tmpfs with size and mode", async () => {
    const script = "stat -c %a /t; df -k /t | tail -1 | awk '{ print $2 }'";
    const mount = "type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=1770";
    assert.equal(await sh(script, "--mount", mount), "1770\n1024\n");
  });

  it("serves a running container's folder across a kill of dvmd, and leaves nothing behind", async () => {
    const script =
      "while ! [ -e /s/stop ]; do cat /s/in > /s/.out && mv /s/.out /s/out; sleep 0.1; done";
    writeFileSync(join(share, "in"), "one\n");
    const words = ["-v", `${share}:/s`, "busybox", "sh", "-c", script];
    await succeed("run", "-d", "--name", "lasting", ...words);
    await dvmd.kill();
    await dvmd.start();
    renameSync(join(share, "in"), join(share, "old"));
    writeFileSync(join(share, "in"), "two two\n");
    const out = () =>
      existsSync(join(share, "out")) ? readFileSync(join(share, "out"), "utf8") : "";
    while (out() !== "two two\n") await delay(20);
    writeFileSync(join(share, "stop"), "");
    assert.equal(await succeed("wait", "lasting"), "0\n");
    await succeed("rm", "lasting");
    assert.equal(servers(), "");
  });

  it("cannot be made to share a socket", async () => {
    const { err } = await docker(["run", "--rm", "-v", `${dvmd.socket}:/d`, "busybox", "true"]);
    assert.match(err, /neither a folder nor a plain file/);
  });
});
