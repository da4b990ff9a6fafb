/** Containers on a real kernel: one guest plays the scenarios of vm-test/, each test judges what one of them saw. */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { buildProgram } from "../engine/build.ts";
import { cpioArchive } from "../engine/cpio.ts";
import { engineObjects } from "../engine/engine-objects.ts";

const PROJECT = join(import.meta.dirname, "../..");
const KERNEL = join(PROJECT, "build/kernel/vmlinux");
const BUSYBOX = "/bin/busybox";
const DEADLINE = 180_000;

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code?: number;
  readonly oomKilled?: boolean;
  readonly failure?: string;
  readonly failureExit?: number;
}

const results = new Map<string, { readonly saw?: unknown; readonly threw?: string }>();

before(
  async () => {
    const work = await mkdtemp(join(tmpdir(), "dvm-containers-"));
    try {
      for (const line of (await playScenarios(work)).split("\n")) {
        if (!line.startsWith("RESULT ")) continue;
        const { name, ...result } = JSON.parse(line.slice("RESULT ".length)) as { name: string };
        results.set(name, result);
      }
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  },
  { timeout: DEADLINE + 60_000 },
);

/** What the scenario returned. */
function saw<T = Outcome>(name: string): T {
  const result = results.get(name) ?? assert.fail(`the guest never played: ${name}`);
  assert.equal(result.threw, undefined);
  return result.saw as T;
}

function output(name: string): string {
  const { stdout, code, failure } = saw(name);
  assert.deepEqual({ code, failure }, { code: 0, failure: undefined });
  return stdout;
}

function refused(name: string, exitCode: number, message: string): void {
  const { failure, failureExit, stdout } = saw(name);
  assert.deepEqual(
    { failure, failureExit, stdout },
    { failure: message, failureExit: exitCode, stdout: "" },
  );
}

test("output, errors and exit code are the command's own", () => {
  assert.deepEqual(saw("output and exit code"), {
    stdout: "out\n",
    stderr: "err\n",
    code: 3,
    oomKilled: false,
  });
  assert.equal(saw("death by a signal").code, 128 + 15);
});

test("the container has its own names, and its command is process 1", () => {
  const lines = [
    "testhost",
    "testhost",
    "nameserver 10.0.2.3",
    "127.0.0.1\tlocalhost",
    "testhost /root 1",
    "",
  ];
  assert.equal(output("names"), lines.join("\n"));
});

test("commands that cannot run fail in Docker's words and with its exit codes", () => {
  refused("no command", 127, 'exec: "nope": executable file not found in $PATH');
  refused("missing path", 127, 'exec: "/no/such": stat /no/such: no such file or directory');
  refused("missing interpreter", 127, "exec /etc/noshell: no such file or directory");
  refused("folder as command", 126, 'exec: "/etc": is a directory');
  refused("plain file as command", 126, 'exec: "/etc/passwd": permission denied');
  refused("garbage as command", 126, "exec /etc/garbage: exec format error");
});

test("the user is looked up in the image and owns its streams", () => {
  assert.equal(
    output("user by name"),
    "uid=33(web) gid=33(web) groups=29(audio),33(web)\n/home/web\n",
  );
  assert.equal(output("user by number"), "1234\n56\n56 29\n/\n");
  refused("unknown user", 125, "unable to find user nobody: no matching entries in passwd file");
});

test("root has Docker's capabilities and a filter, others have none in effect", () => {
  const root = output("root's capabilities");
  for (const set of ["Prm", "Eff", "Bnd"])
    assert.match(root, new RegExp(`Cap${set}:\t00000000a80425fb`));
  assert.match(root, /CapInh:\t0{16}\n[\s\S]*CapAmb:\t0{16}\nNoNewPrivs:\t0\nSeccomp:\t2\n$/);
  const other = output("another's capabilities");
  assert.match(
    other,
    /CapPrm:\t0{16}\nCapEff:\t0{16}\nCapBnd:\t00000000a80425fb\nCapAmb:\t0{16}\n/,
  );
  assert.equal(output("changed capabilities"), "CapEff:\t0000000000001020\n");
  assert.equal(output("no new privileges"), "NoNewPrivs:\t1\nSeccomp:\t2\n");
});

test("a privileged container may do everything", () => {
  assert.equal(
    output("privileged"),
    "CapEff:\t000001ffffffffff\nSeccomp:\t0\nmounted\nwritable\ncgroup\n",
  );
});

test("the filter refuses what Docker's refuses, 32-bit programs run under it, and users bring their own", () => {
  const { stdout, stderr } = saw("seccomp default");
  assert.equal(stdout, "chroot\n");
  assert.match(stderr, /unshare: .*Operation not permitted\nmount: permission denied/);
  assert.equal(output("seccomp unconfined"), "Seccomp:\t0\n");
  assert.equal(output("seccomp of the user's"), "1\nstill here\n");
  assert.deepEqual(saw("32-bit program"), {
    stdout: "i386",
    stderr: "",
    code: 5,
    oomKilled: false,
  });
});

test("the kernel's views are protected", () => {
  const { stdout, stderr } = saw("protected paths");
  assert.equal(stdout, "0\n0\n");
  assert.match(stderr, /domainname: Read-only file system/);
  assert.match(stderr, /cgroup\/x': Read-only file system/);
  assert.match(stderr, /can't unmount \/proc\/sys: Operation not permitted/);
});

test("the devices, links and mounts of the OCI defaults are there", () => {
  const devices = output("devices");
  assert.match(
    devices,
    /^core\nfd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n/,
  );
  assert.match(
    devices,
    /null 1:3 666\n.*zero 1:5 666\n.*full 1:7 666\n.*random 1:8 666\n.*urandom 1:9 666\n/,
  );
  assert.match(
    devices,
    /\/proc\/self\/fd\n\/proc\/self\/fd\/0\npts\/ptmx\n\/proc\/kcore\n3\n1777\n755\n.* 65536 /,
  );
  const table = output("mount table");
  for (const line of [
    /^overlay \/ overlay rw,/m,
    /^proc \/proc proc rw,nosuid,nodev,noexec,/m,
    /^tmpfs \/dev tmpfs rw,nosuid,size=65536k,mode=755/m,
    /^devpts \/dev\/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666 /m,
    /^sysfs \/sys sysfs ro,nosuid,nodev,noexec,/m,
    /^cgroup \/sys\/fs\/cgroup cgroup2 ro,nosuid,nodev,noexec,/m,
    /^mqueue \/dev\/mqueue mqueue rw,nosuid,nodev,noexec,/m,
    /^proc \/proc\/sys proc ro,nosuid,nodev,noexec,/m,
  ]) {
    assert.match(table, line);
  }
});

test("whatever nodes it makes, a container opens Docker's devices alone unless it is privileged", () => {
  const shut = ["log", "console", "vda", "vdb", "vdc", "vdd"].map((name) => `${name} stays shut`);
  const wanted = [...shut.slice(0, 2), "null opens", ...shut.slice(2), ""].join("\n");
  assert.equal(output("other devices"), wanted);
  assert.equal(saw("other devices by exec").stdout, wanted);
  assert.doesNotMatch(output("other devices, privileged"), /stays shut/);
});

test("mounts take their options, and a root that is read-only stays so", () => {
  const { stdout, stderr } = saw("read-only root");
  assert.deepEqual([stdout, stderr], ["tmp\nshm\n", "touch: /x: Read-only file system\n"]);
  const tmpfs = saw("tmpfs options").stdout;
  assert.match(tmpfs, /\/data tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=750/);
  assert.match(
    tmpfs,
    /\/new\/deep tmpfs rw,nosuid,nodev,relatime,mode=1700[\s\S]*\n750\n1700\n1777\n$/,
  );
  const bound = output("bind and disk mounts");
  assert.match(
    bound,
    /^from the guest\nfrom the guest\n.* \/shared tmpfs ro,.*\n.* \/disk ext4 rw,noexec,/,
  );
});

test("a mount of the user's may cover a view that would be protected", () => {
  assert.equal(output("mount over a protected view"), "0\n");
});

test("limits are the kernel's own", () => {
  const lines = ["33554432", "0", "50000 100000", "20", "20", "0", "100", "0", "100", "0::/", ""];
  assert.equal(saw("resource limits").stdout, lines.join("\n"));
  assert.match(saw("fork bomb").stdout, /can't fork/);
});

test("a kill for want of memory is told", () => {
  const { told, again, outcome, oomKills } = saw<Record<string, unknown>>("out of memory");
  assert.deepEqual({ told, again, oomKills }, { told: true, again: false, oomKills: 1 });
  assert.deepEqual(outcome, {
    stdout: "survived 137\n",
    stderr: "Killed\n",
    code: 0,
    oomKilled: true,
  });
});

test("the working directory is made, the environment and arguments arrive as they are", () => {
  assert.equal(output("working directory"), "/a/c\n0:0 755\n");
  const own =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOSTNAME=testhost\n";
  assert.equal(output("environment"), `${own}A=2\nB=x=y\nU=hü😀\nHOME=/root\n`);
  assert.equal(output("bytes that are no text"), "a\udcffb");
});

test("kernel parameters and the loopback are set in the container's own namespaces", () => {
  assert.equal(output("sysctls"), "0\n1\n9000\n");
  assert.match(output("private network"), /^1: lo: <LOOPBACK,UP,[\s\S]*\npong\nlo\n$/);
});

test("standard input is the user's, or empty", () => {
  assert.equal(output("standard input"), "hi\nend\n");
  assert.equal(output("no standard input"), "end\n");
});

test("a terminal controls the process, is its console, follows its size and passes on an interrupt", () => {
  assert.equal(output("terminal"), "/dev/pts/0\r\n24 80\r\nc\r\nxterm\r\n33:5:620\r\n");
  const expected = { ready: "ready\r\n", size: "50 132\r\n", end: "^Ccaught\r\n", exit: 9 };
  assert.deepEqual(saw("terminal resized and interrupted"), expected);
});

test("further processes join the running container under the same restrictions", () => {
  const { second, other, missing, names, top, exit, late } = saw<{
    readonly second: Outcome;
    readonly other: Outcome;
    readonly missing: Outcome;
    readonly names: Record<string, string[]>;
    readonly top: readonly string[];
    readonly exit: number;
    readonly late: string;
  }>("several processes");
  assert.match(
    second.stdout,
    /^testhost\n0\n\d\n(same\n){6}0::\/\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n$/,
  );
  assert.deepEqual([other.stdout, other.code], ["web\r\n/dev/pts/0\r\n", 5]);
  assert.equal(missing.failureExit, 127);
  assert.deepEqual(Object.values(names), [["init"]]);
  assert.match(top[0] ?? "", /^0 \? \/bin\/sh -c echo one;/);
  assert.equal(exit, 7);
  assert.match(late, /is not running$/);
  assert.deepEqual(saw("exec dies with the container"), { first: 0, second: 137 });
});

test("a small init reaps orphans, hands signals on and ends with the command's code", () => {
  assert.deepEqual(saw("small init"), { out: "init\n2\n0\nready\n", rest: "term\n", exit: 4 });
  refused("small init without a command", 127, 'exec: "nope": executable file not found in $PATH');
});

test("a paused container stands still until it is resumed", () => {
  const { frozen, moves, twice, exec, again } = saw<Record<string, unknown>>("pause and resume");
  assert.deepEqual([frozen, moves], [true, true]);
  assert.match(String(twice), /is already paused$/);
  assert.match(String(exec), /is paused, unpause the container before exec$/);
  assert.match(String(again), /is not paused$/);
});

test("limits of a running container change", () => {
  const { seen, limit, bad } = saw<{ seen: Outcome; limit: number; bad: string }>("update");
  assert.equal(seen.stdout, "134217728\n33\n20000 100000\n");
  assert.equal(limit, 134_217_728);
  assert.match(bad, /cannot set cpuset.cpus to 900: ERANGE/);
});

test("containers on one image do not see each other", () => {
  const { second, twice, running } = saw<{ second: Outcome; twice: string; running: string }>(
    "two containers",
  );
  assert.match(second.stdout, /^b\n3\n$/);
  assert.match(second.stderr, /\/who: No such file/);
  assert.match(twice, /exists already$/);
  assert.match(running, /is running already$/);
});

test("what was written stays for the next start, on a disk for the next container", () => {
  assert.equal(saw<{ second: Outcome }>("run again").second.stdout, "once\r\n");
  const { stdout, stderr } = saw<{ second: Outcome }>("writable disk").second;
  assert.equal(stdout, "data\n1\n");
  assert.match(stderr, /garbage: No such file/);
});

test("namespaces may be the guest's own, and what is left running dies with the command", () => {
  assert.match(output("guest's namespaces"), /^\(none\)\nhigh\n0::\/dvm\/c\d+\nleft\n$/);
});

test("with a user namespace the container's root is nobody in the guest and root in its own files", () => {
  const [id, uids, gids, ...rest] = output("mapped root").split("\n");
  assert.deepEqual([id, uids, gids], ["0", " 0 100000 65536", " 0 100000 65536"]);
  const owned = ["/", "/bin/busybox", "/dev", "/dev/null", "/dev/shm", "/etc/hosts"];
  const own = ["1", "testhost", ...owned.map((path) => `0:0 ${path}`)];
  assert.deepEqual(rest, [...own, "null", "1024", "0::/", "1", ""]);
  const user = saw("mapped user");
  assert.equal(user.stdout, "uid=33(web) gid=33(web) groups=29(audio),33(web)\n33:33\ny\n");
  assert.match(user.stderr, /\/data\/no: Permission denied/);
  assert.equal(output("mapped terminal"), "/dev/pts/0\r\n33:5:620\r\nx\r\nok\r\n");
});

test("what a user namespace's root writes on a disk belongs to root there, and to whom it says in archives", () => {
  const { outcome, ...seen } = saw<{ outcome: Outcome; onDisk: string[]; owners: string[] }>(
    "mapped files on disk",
  );
  assert.equal(outcome.stdout, "0:0 /mapped\n33:33 /made/web\n0:0 /data\n");
  assert.deepEqual(seen, {
    onDisk: ["0:0", "33:33", "0:0", "0:0"],
    owners: ["33:33", "33:33"],
  });
  const volume = saw<{ outcome: Outcome; onDisk: string }>("mapped disk");
  assert.equal(volume.outcome.stdout, "0:0\n33:33\n");
  assert.equal(volume.onDisk, "33:33");
});

test("a user namespace's root changes nothing of the guest, whatever it may do in its own", () => {
  const limits = saw("mapped root's limits");
  assert.match(limits.stderr, /^mknod: \/tmp\/disk: Operation not permitted\n/);
  assert.match(limits.stderr, /\/proc\/sys\/kernel\/panic: Read-only/);
  assert.match(limits.stderr, /\/proc\/sys\/vm\/overcommit_memory: Read-only/);
  assert.match(limits.stderr, /\/run\/dvm: No such file/);
  // of the guest's many processes it sees its own few
  assert.ok(Number(limits.stdout) < 10, limits.stdout);
  const administrator = saw("mapped administrator");
  assert.equal(administrator.stdout, "mounted\nother\ndown\n");
  assert.match(administrator.stderr, /kernel\/panic: Permission denied\nmount: permission denied/);
  const network = saw("mapped in the guest's network");
  assert.match(network.stdout, /^lo\nrefused\n$/);
});

test("settings, exit codes and further processes are as without a user namespace", () => {
  assert.equal(output("mapped settings"), "9000\n1\n-100\n500000\nlo\n");
  assert.deepEqual(saw<unknown>("mapped exit codes"), [
    7,
    143,
    127,
    "unable to find user nobody: no matching entries in passwd file",
    "/proc of the image is a symbolic link",
  ]);
  const { uid, second, code } = saw<{ uid: string; second: Outcome; code: number }>("mapped exec");
  assert.equal(uid, "Uid:\t100000\t100000\t100000\t100000");
  assert.equal(second.stdout, "0\n 0 100000 65536\ntesthost\nsame\n524288\n0\nsent\n");
  assert.equal(code, 7);
});

test("no symbolic link of an image leads out of it or over /proc", () => {
  const seen = saw<
    Record<"ordinary" | "escaped" | "loop" | "intoProc" | "named", Outcome> & {
      guestUntouched: string;
    }
  >("hostile image");
  const inside = [
    "127.0.0.1\tlocalhost",
    "nameserver 10.0.2.3",
    "../../../../../../run/dvm/escape",
    "/nowhere/deep/x",
    "",
  ];
  assert.equal(seen.ordinary.stdout, inside.join("\n"));
  assert.match(seen.escaped.stdout, /^tmpfs \/escaped tmpfs /);
  assert.equal(seen.loop.failure, "mount /loop/x: openat2 loop/x: ELOOP");
  assert.equal(seen.intoProc.failure, "invalid mount path: /data/sys leads to /proc/sys");
  assert.match(seen.guestUntouched, /ENOENT$/);
  refused("image with /proc as a link", 125, "/proc of the image is a symbolic link");
});

test("an account file that is a FIFO stops nothing", () => {
  const { named } = saw<{ named: Outcome }>("hostile image");
  assert.equal(named.failure, "unable to find user root: no matching entries in passwd file");
});

test("what the specification should not ask for is refused by name", () => {
  const { rlimit, ...messages } = saw<Record<string, string>>("refused specifications");
  assert.deepEqual(messages, {
    disk: "ContainerError: no disk with the serial none",
    upper: "ContainerError: no disk with the serial none",
    serial: 'ContainerError: invalid disk serial: "../x"',
    limit: "ContainerError: cannot set cpuset.cpus to 900: ERANGE",
    name: 'ContainerError: invalid container name: "../x"',
    none: "ContainerError: no such container: nope",
    proc: "ContainerError: invalid mount path: /proc/x is inside /proc",
    capability: 'ContainerError: invalid CapAdd: unknown capability: "CAP_NOPE"',
    sysctl: 'ContainerError: sysctl "kernel.panic" is not in a separate kernel namespace',
  });
  assert.match(rlimit ?? "", /set limits: prlimit64: EPERM/);
});

test("removal leaves no process, mount, folder, control group or descriptor behind", () => {
  const { descriptors, groups, ...rest } = saw<Record<string, unknown>>("nothing left");
  assert.deepEqual(rest, { signal: 9, untold: null, mounts: [], folders: [], children: "none" });
  assert.deepEqual(groups, []);
  assert.equal(descriptors, 0);
});

/** Boots the guest. @returns its console's output */
async function playScenarios(work: string): Promise<string> {
  assert.ok(existsSync(KERNEL), `no guest kernel at ${KERNEL}: run npm run setup`);
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dvm/agent");
  const engine = await engineObjects(cache, () => {});
  await buildProgram({ entry: join(import.meta.dirname, "vm-test/program.ts"), engine, work });
  const initramfs = cpioArchive([
    { name: "dev", mode: 0o040755 },
    { name: "dev/console", mode: 0o020600, device: [5, 1] },
    { name: "init", mode: 0o100755, content: await readFile(join(work, "agent")) },
  ]);
  await writeFile(join(work, "initramfs"), initramfs);
  await makeImages(work);
  execFileSync("truncate", ["-s", "64M", join(work, "upper")]);
  execFileSync("mkfs.ext4", ["-qF", join(work, "upper")]);
  return runGuest(work);
}

function runGuest(work: string): Promise<string> {
  const disk = (serial: string, readOnly: boolean): string[] => [
    "-drive",
    `if=none,id=${serial},file=${join(work, serial)},format=raw,readonly=${readOnly ? "on" : "off"}`,
    "-device",
    `virtio-blk-device,drive=${serial},serial=${serial}`,
  ];
  const qemu = spawn("qemu-system-x86_64", [
    ...[
      "-M",
      "microvm,acpi=off,pic=on,pit=on,rtc=off",
      "-global",
      "virtio-mmio.force-legacy=false",
    ],
    ...[
      "-accel",
      "tcg",
      "-cpu",
      "max",
      "-m",
      "256",
      "-nodefaults",
      "-no-user-config",
      "-display",
      "none",
      "-no-reboot",
    ],
    ...[
      "-kernel",
      KERNEL,
      "-initrd",
      join(work, "initramfs"),
      "-append",
      "console=hvc0 quiet reboot=t panic=-1",
    ],
    ...[
      "-chardev",
      "stdio,id=c0",
      "-device",
      "virtio-serial-device",
      "-device",
      "virtconsole,chardev=c0",
    ],
    ...disk("plain", true),
    ...disk("hostile", true),
    ...disk("badproc", true),
    ...disk("upper", false),
  ]);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let console = "";
  qemu.stdout.on("data", (bytes: Buffer) => {
    console += bytes.toString();
  });
  qemu.stderr.pipe(process.stderr);
  const deadline = setTimeout(() => qemu.kill("SIGKILL"), DEADLINE);
  qemu.on("error", reject);
  qemu.on("close", () => {
    clearTimeout(deadline);
    const text = console.replaceAll("\r\n", "\n");
    if (text.includes("RESULTS END")) resolve(text);
    else reject(new Error(`the guest did not finish: ${text.slice(-2000)}`));
  });
  return promise;
}

async function makeImages(work: string): Promise<void> {
  const plain = await busyboxRoot(work, "plain");
  for (const name of ["etc", "tmp", "root", "home/web", "data"])
    await mkdir(join(plain, name), { recursive: true });
  await chmod(join(plain, "tmp"), 0o1777);
  await chmod(join(plain, "data"), 0o750);
  await writeFile(
    join(plain, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33:web:/home/web:/bin/sh\n",
  );
  await writeFile(join(plain, "etc/group"), "root:x:0:\nweb:x:33:\naudio:x:29:web\n");
  await writeFile(join(plain, "etc/garbage"), "\x7fELFgarbage", { mode: 0o755 });
  await writeFile(join(plain, "etc/noshell"), "#!/no/such/shell\n", { mode: 0o755 });
  await writeFile(join(plain, "bin/i386"), program32(), { mode: 0o755 });
  makeErofs(work, plain, "plain");

  const hostile = await busyboxRoot(work, "hostile");
  await mkdir(join(hostile, "etc"));
  await symlink("../../../../../../run/dvm/escape", join(hostile, "etc/hosts"));
  await symlink("/somewhere/resolv.conf", join(hostile, "etc/resolv.conf"));
  await symlink("../../../..", join(hostile, "out"));
  await symlink("loop", join(hostile, "loop"));
  await symlink("/proc", join(hostile, "data"));
  await symlink("/nowhere/deep", join(hostile, "work"));
  execFileSync("mkfifo", [join(hostile, "etc/passwd")]);
  makeErofs(work, hostile, "hostile");

  const badproc = await busyboxRoot(work, "badproc");
  await mkdir(join(badproc, "etc"));
  await symlink("/etc", join(badproc, "proc"));
  makeErofs(work, badproc, "badproc");
}

async function busyboxRoot(work: string, name: string): Promise<string> {
  const root = join(work, `${name}-root`);
  await mkdir(join(root, "bin"), { recursive: true });
  await copyFile(BUSYBOX, join(root, "bin/busybox"));
  const applets = execFileSync(BUSYBOX, ["--list"], { encoding: "utf8" }).trim().split("\n");
  for (const applet of applets)
    if (applet !== "busybox") await symlink("busybox", join(root, "bin", applet));
  return root;
}

function makeErofs(work: string, root: string, name: string): void {
  execFileSync("mkfs.erofs", ["-x-1", "--all-root", join(work, name), root], { stdio: "ignore" });
}

/** The smallest i386 program that writes its machine's name and exits with 5 (ELF-32, int 0x80). */
function program32(): Uint8Array {
  const base = 0x0804_8000;
  const code = [
    ...[
      0xb8,
      4,
      0,
      0,
      0,
      0xbb,
      1,
      0,
      0,
      0,
      0xb9,
      ...word(base + 84 + 34),
      0xba,
      4,
      0,
      0,
      0,
      0xcd,
      0x80,
    ],
    ...[0xb8, 1, 0, 0, 0, 0xbb, 5, 0, 0, 0, 0xcd, 0x80],
    ...Buffer.from("i386"),
  ];
  const ident = [0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  const header = [
    ...half(2),
    ...half(3),
    ...word(1),
    ...word(base + 84),
    ...word(52),
    ...word(0),
    ...word(0),
  ];
  const sizes = [52, 32, 1, 0, 0, 0].flatMap(half);
  const size = 84 + code.length;
  const segment = [1, 0, base, base, size, size, 5, 0x1000].flatMap(word);
  return Uint8Array.from([...ident, ...header, ...sizes, ...segment, ...code]);
}

function half(value: number): number[] {
  return [value & 0xff, value >> 8];
}

function word(value: number): number[] {
  return [...half(value & 0xffff), ...half(value >>> 16)];
}
