import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { noDocker, TestDvmd } from "./test-dvmd.ts";

const mount = mkdtempSync(join(tmpdir(), "dvm-full-"));
const dvmd = new TestDvmd(join(mount, "data"));
const docker = dvmd.docker.bind(dvmd);
const succeed = dvmd.succeed.bind(dvmd);
const skip = process.getuid?.() === 0 ? await noDocker() : "mounting needs root";
/** Writes more than there is. */
const FILL =
  "dd if=/dev/zero of=/big bs=1M count=100 2>/dev/null; sync; echo full; exec sleep 1000";

describe("a dvmd whose disk is full", { skip }, () => {
  before(async () => {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "none", mount]);
    await dvmd.start();
    await succeed("create", "--name", "before", "busybox", "true");
    await succeed("run", "-d", "--name", "filler", "busybox", "sh", "-c", FILL);
    while (!(await succeed("logs", "filler")).includes("full")) {
      // the log may lack the line: what counts is that nothing more fits
      if (execFileSync("df", ["--output=avail", mount], { encoding: "utf8" }).includes(" 0\n"))
        break;
    }
  });
  after(async () => {
    await dvmd[Symbol.asyncDispose]();
    execFileSync("umount", [mount]);
    rmSync(mount, { recursive: true, force: true });
  });

  it("says so of what does not fit, and leaves nothing of it", async () => {
    const { code, err } = await docker(["run", "--name", "more", "busybox", "true"]);
    assert.equal(code, 125);
    assert.match(err, /no space left on device/);
    assert.equal((await docker(["inspect", "more"])).code, 1);
  });

  it("goes on with what runs, and stops it", async () => {
    assert.equal(await succeed("exec", "filler", "echo", "alive"), "alive\n");
    await succeed("stop", "-t", "0", "filler");
    assert.equal(await succeed("inspect", "-f", "{{.State.Status}}", "filler"), "exited\n");
  });

  it("comes up again on the full disk, and has room once something was removed", async () => {
    await dvmd.kill();
    await dvmd.start();
    assert.equal((await succeed("ps", "-aq")).split("\n").length, 3);
    await succeed("rm", "filler");
    await succeed("start", "-a", "before");
    assert.equal(await succeed("run", "--rm", "busybox", "echo", "room"), "room\n");
  });
});
