import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { TestUser } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

/** What a script prints in a container with these flags, both streams in one. */
async function says(flags: readonly string[], script: string): Promise<string> {
  const words = ["run", "--rm", "--network", "none", ...flags, "busybox", "sh", "-c"];
  const { out } = await user.dvm([...words, `exec 2>&1; ${script}`]);
  return out;
}

describe("devices of a container", () => {
  it("are those of the guest's kernel, where and for what they are asked for", async () => {
    const flags = ["--device", "/dev/fuse", "--device", "/dev/net/tun:/dev/my/tun:r"];
    const script = `stat -c '%n %t:%T' /dev/fuse /dev/my/tun
      exec 3<>/dev/fuse; echo $?; exec 4</dev/my/tun; echo $?; (exec 5>/dev/my/tun); echo $?`;
    const out = await says(flags, script);
    assert.match(out, /^\/dev\/fuse a:e5\n\/dev\/my\/tun a:c8\n0\n0\n.*not permitted\n1\n$/s);
  });

  it("are none of those that were not asked for, whatever nodes are made", async () => {
    const script =
      "mknod /dev/tun c 10 200; (exec 3</dev/tun); mknod /dev/d b 254 0; (exec 3</dev/d)";
    assert.match(await says([], script), /not permitted\n.*not permitted\n$/s);
  });

  it("are more by rules, with all that these leave open and no more", async () => {
    const flags = ["--device-cgroup-rule", "c 10:* r"];
    const script =
      "mknod /dev/tun c 10 200; (exec 3</dev/tun); echo $?; (exec 3>/dev/tun); echo $?";
    assert.match(await says(flags, script), /^0\n.*not permitted\n1\n$/s);
  });

  it("that a machine cannot have are refused by name", async () => {
    for (const [device, message] of [
      ["/dev/kvm", /cannot run machines|no \/dev\/kvm/],
      ["/dev/absent", /no \/dev\/absent/],
      ["/dev/null:/etc/null", /below \/dev/],
    ] as const) {
      const words = ["run", "--rm", "--device", device, "busybox", "true"];
      const { code, err } = await user.dvm(words);
      assert.equal(code, 125);
      assert.match(err, message);
    }
  });

  const skip = process.getuid?.() === 0 ? false : "a loop device takes root";
  it("may be a disk of the host, to read alone too", { skip }, async (context) => {
    const file = join(user.folder, "disk");
    execFileSync("truncate", ["-s", "16M", file]);
    execFileSync("/usr/sbin/mkfs.ext4", ["-q", file]);
    let loop: string;
    try {
      loop = execFileSync("losetup", ["-f", "--show", file], { encoding: "utf8" }).trim();
    } catch {
      context.skip("there is no loop device");
      return;
    }
    try {
      const mount = ["--cap-add", "SYS_ADMIN", "--device"];
      const write = "mkdir /m; mount -t ext4 /dev/xvda /m && echo kept >/m/f; umount /m; echo $?";
      assert.equal(await says([...mount, `${loop}:/dev/xvda`], write), "0\n");
      const read =
        "mkdir /m; mount -t ext4 -o ro /dev/xvda /m && cat /m/f; (exec 3>/dev/xvda); echo $?";
      assert.match(await says([...mount, `${loop}:/dev/xvda:r`], read), /^kept\n.*\n1\n$/s);
    } finally {
      execFileSync("losetup", ["-d", loop]);
    }
  });
});

describe("limits that cgroup v2 does not have", () => {
  it("are discarded with a warning, as Docker does there", async () => {
    const flags = ["--memory-swappiness", "10", "--oom-kill-disable"];
    const words = ["run", "--rm", "--network", "none", ...flags, "busybox", "echo", "ran"];
    const { out, err } = await user.dvm(words);
    assert.equal(out, "ran\n");
    assert.match(err, /warning: MemorySwappiness is discarded.*\n.*OomKillDisable is discarded/);
  });
});

describe("limits of disks", () => {
  const RATE = 4 * 2 ** 20;

  /** What it writes for a while, in `bytes per second`. */
  async function writeRate(): Promise<number> {
    const script = `now() { cut -d' ' -f1 /proc/uptime; }; a=$(now)
      dd if=/dev/zero of=/f bs=1M count=24 oflag=direct 2>/dev/null; echo $a $(now)`;
    const { out } = await user.dvm(["exec", "limited", "sh", "-c", script]);
    const [from = 0, to = 0] = out.split(" ").map(Number);
    return (24 * 2 ** 20) / (to - from);
  }

  it("are changed while it runs, and taken away", async () => {
    const device = "--device-write-bps";
    const run = [
      "run",
      "-d",
      "--name",
      "limited",
      "--network",
      "none",
      device,
      `/dev/sda:${4 * RATE}`,
    ];
    await user.dvm([...run, "busybox", "sleep", "1000"]);
    // a busy machine is slower than any limit, and none is faster: only what is above it is wrong
    assert.ok((await writeRate()) < 4.8 * RATE);
    await user.dvm(["update", device, `/dev/sda:${RATE}`, "limited"]);
    assert.ok((await writeRate()) < 1.1 * RATE);
    await user.dvm(["update", device, "/dev/sda:0", "limited"]);
    assert.ok((await writeRate()) > 1.1 * RATE);
    const format = "{{json .HostConfig.BlkioDeviceWriteBps}}";
    assert.equal((await user.dvm(["inspect", "-f", format, "limited"])).out, "[]\n");
    await user.dvm(["rm", "-f", "limited"]);
  });
});
