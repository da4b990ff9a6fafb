import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type DvmResult, TestUser } from "./test-dvm.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-bad-"));
after(() => rmSync(folder, { recursive: true }));

/** Runs a container in a world with something wrong, which has to leave nothing behind. */
async function run(environment: Readonly<Record<string, string>>): Promise<DvmResult> {
  using user = new TestUser(environment);
  const result = await user.dvm(["run", "--rm", "--accel", "tcg", "busybox", "true"]);
  assert.deepEqual(user.leftovers(), []);
  return result;
}

/** An initramfs whose init is a shell script, with busybox for its shell. */
function initramfs(name: string, script: string): string {
  const root = join(folder, name);
  mkdirSync(join(root, "bin"), { recursive: true });
  mkdirSync(join(root, "dev"));
  mkdirSync(join(root, "sys"));
  copyFileSync("/bin/busybox", join(root, "bin", "busybox"));
  writeFileSync(join(root, "init"), `#!/bin/busybox sh\n${script}`, { mode: 0o755 });
  const archive = join(folder, `${name}.cpio`);
  execFileSync("sh", ["-c", `find . | cpio -o -H newc --quiet > "${archive}"`], { cwd: root });
  return archive;
}

const OPEN_PORT = `
busybox=/bin/busybox
$busybox mount -t devtmpfs dev /dev
$busybox mount -t sysfs sys /sys
port=/dev/$($busybox basename $($busybox dirname $($busybox grep -l dvm /sys/class/virtio-ports/*/name)))
`;

describe("dvm run says in one message what is wrong, and what to do:", () => {
  const cases: [string, () => Readonly<Record<string, string>>, RegExp, RegExp][] = [
    [
      "no kernel",
      () => ({ DVM_KERNEL: "/nonexistent/vmlinux" }),
      /^dvm: no guest kernel at \/nonexistent\/vmlinux\n/,
      /npm run setup/,
    ],
    [
      "no guest agent",
      () => ({ DVM_INITRAMFS: "/nonexistent/cpio" }),
      /^dvm: no guest agent at \/nonexistent\/cpio\n/,
      /npm run setup/,
    ],
    [
      "a kernel that is none",
      () => ({ DVM_KERNEL: "/etc/passwd" }),
      /^dvm: virtual machine [0-9a-f]{12} did not start/,
      /dvm doctor/,
    ],
    [
      "no QEMU",
      () => ({ PATH: pathWithoutQemu() }),
      /qemu-system-x86_64 is not on the PATH/,
      /apt-get install qemu/,
    ],
    [
      "a guest that panics",
      () => ({ DVM_INITRAMFS: initramfs("panic", "exit 3\n") }),
      /panic/i,
      /./,
    ],
    [
      "a guest that hangs at boot",
      () => ({
        DVM_BOOT_TIMEOUT: "4",
        DVM_INITRAMFS: initramfs("hang", "while :; do /bin/busybox sleep 9; done\n"),
      }),
      /boot/,
      /./,
    ],
    [
      "an agent that closes its port",
      () => ({
        DVM_INITRAMFS: initramfs(
          "close",
          `${OPEN_PORT}exec 3<>$port\necho hello >&3\nexec 3>&-\n$busybox sleep 1000\n`,
        ),
      }),
      /agent/,
      /./,
    ],
    [
      "an agent that says nothing sensible",
      () => ({
        DVM_BOOT_TIMEOUT: "4",
        DVM_INITRAMFS: initramfs(
          "garbage",
          `${OPEN_PORT}exec 3<>$port\nwhile :; do echo garbage >&3; $busybox sleep 1; done\n`,
        ),
      }),
      /agent/,
      /./,
    ],
  ];
  for (const [what, world, message, hint] of cases) {
    it(what, async () => {
      const { code, err } = await run(world());
      assert.match(err, message);
      assert.match(/^ {2}hint: (.*)$/m.exec(err)?.[1] ?? "", hint, err);
      assert.doesNotMatch(err, /defect|^ +at /m);
      assert.equal(code, 125);
    });
  }
});

/** A folder with links to all that dvm runs but QEMU. */
function pathWithoutQemu(): string {
  const path = join(folder, "path");
  mkdirSync(path);
  for (const program of ["sh", "readlink", "setpriv", "mkfs.ext4", "node"]) {
    const found = execFileSync("sh", ["-c", `PATH=$PATH:/usr/sbin:/sbin; command -v ${program}`]);
    execFileSync("ln", ["-s", found.toString().trim(), join(path, program)]);
  }
  return path;
}
