/**
 * The nested host: a Debian cloud kernel under QEMU's TCG, whose emulated SVM makes KVM real inside, so that
 * the `kvm` backend runs a stock guest kernel on any machine. It holds BusyBox, this Node, and the project.
 */

import { execFileSync, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

import { vmmMain } from "../../vmm-main.ts";
import { PLAIN_LOADER, stripTypes } from "./plain-sources.ts";

const project = resolve(import.meta.dirname, "../../../..");
const cache = join(project, "build/nested-host");

/** Debian's meta package; what it depends on is the kernel */
const KERNEL_PACKAGE = "linux-image-cloud-amd64";
/** For KVM, taps, bridges, pairs of devices and nftables; each after those that it needs. */
const MODULES = [
  ...["virt/lib/irqbypass", "arch/x86/kvm/kvm", "arch/x86/kvm/kvm-amd", "drivers/net/tun"],
  ...["lib/libcrc32c", "net/llc/llc", "net/802/stp", "net/bridge/bridge"],
  ...["net/ipv4/netfilter/nf_defrag_ipv4", "net/ipv6/netfilter/nf_defrag_ipv6"],
  ...["nfnetlink", "nf_tables", "nf_conntrack", "nf_nat", "nft_ct"].map(inNetfilter),
  ...["nft_chain_nat", "nft_nat", "nft_masq", "nft_fib"].map(inNetfilter),
  ...["net/ipv4/netfilter/nft_fib_ipv4", "net/ipv6/netfilter/nft_fib_ipv6"],
  ...[inNetfilter("nft_fib_inet"), "net/bridge/netfilter/nft_meta_bridge"],
  ...["drivers/net/veth", inNetfilter("nf_dup_netdev"), inNetfilter("nft_fwd_netdev")],
];
/** Changes with what the base is made of. */
const BASE_NAME = `base-${process.version}-${MODULES.length}.cpio`;
/** parts of the project that its code needs at run time */
const SOURCES = ["bin", "host", "guest-agent"];
const PROJECT_PARTS = [
  "package.json",
  ...SOURCES,
  "node_modules/@koromix",
  "build/vmm", // after its sources, so that it is newer
];
/** npm packages that `host` imports, which bring others along */
const PACKAGES = ["koffi", "commander", "pino", "tar-stream", "undici"];
const EXIT_MARKER = "nested-host: exit ";

export interface NestedRun {
  /** shell command, run in the project's folder, which is `/dvm` */
  readonly command: string;
  /** files to bring along: path inside, relative to `/dvm`, to path here */
  readonly files?: Readonly<Record<string, string>>;
  /** programs to bring along, at their own paths, with the libraries that they are linked with */
  readonly programs?: readonly string[];
  /** how long it may take, in `milliseconds` */
  readonly timeout: number;
  /**
   * Whether its clock counts instructions, a nanosecond each, on its one processor: what is timed there is then work,
   * the same on a busy machine and on a quiet one
   */
  readonly counted?: boolean;
  /** called with each piece of output as it comes */
  readonly onOutput?: (text: string) => void;
}

/**
 * Two processors of the nested host that have waited for each other for two minutes do so for ever: it ends, be it the
 * one that waits who notices, or the rest of the kernel. And its timer is not doubted, which a busy machine makes slow.
 */
const LOCKUP = [
  ...["watchdog_thresh=60", "softlockup_panic=1", "no_timer_check"],
  ...["rcupdate.rcu_cpu_stall_timeout=120", "sysctl.kernel.panic_on_rcu_stall=1"],
].join(" ");

/**
 * No word for so long, in `milliseconds`, is of a nested host that stands still: what runs in it and hangs is given up
 * by a clock of its own, sooner.
 */
const SILENCE = 300_000;

/** Whether the nested host's own kernel has locked up, which QEMU's emulation of SVM brings about now and then. */
export function hasLockedUp({ exitCode, output, fellSilent }: NestedResult): boolean {
  return exitCode === undefined && (fellSilent || output.includes("BUG: soft lockup"));
}

/** What a shell makes of a program that SIGILL, SIGTRAP, SIGABRT or SIGSEGV has ended. */
const CRASHES: readonly (number | undefined)[] = [132, 133, 134, 139];

/**
 * Whether a program of tests crashed before the first of them came to a result: Node then, on what QEMU emulates, see
 * `plain-sources.ts`. What crashes later may be of ours.
 */
export function hasCrashedEarly({ exitCode, output }: NestedResult): boolean {
  return CRASHES.includes(exitCode) && !/^ *(not )?ok \d/m.test(output);
}

/** How a test tells of a guest that was lost as it booted, or as a clone began, before the first word on its console. */
const LOST_AT_START =
  /^ *error: "the guest's processor met a triple fault"\r?\n(?: [^\n]*\n)*? +async (?:makeReady|ContainerRun\.startProcess) \(/m;

/**
 * Whether nothing failed but one test, and that by a guest that met a triple fault as it started and had said nothing. A
 * kernel changes its own code as it boots, and code that changes is what QEMU's emulation of two processors gets wrong,
 * see `plain-sources.ts`: of a single guest it is the likely cause. A second one, or another failure beside it, counts.
 */
export function hasLostOneGuest({ exitCode, output }: NestedResult): boolean {
  const types = [...output.matchAll(/^ *failureType: '(\w+)'/gm)].map(([, type]) => type);
  const failures = types.filter((type) => type !== "subtestsFailed");
  const isTest = failures.length === 1 && failures[0] === "testCodeFailure";
  return exitCode === 1 && isTest && LOST_AT_START.test(output);
}

export interface NestedResult {
  /** exit code of the command; undefined when the nested host ended without it */
  readonly exitCode: number | undefined;
  readonly output: string;
  /** whether it was ended because it said nothing any more */
  readonly fellSilent: boolean;
}

function inNetfilter(module: string): string {
  return `net/netfilter/${module}`;
}

/** Boots the nested host, runs one command in it, and tells how that ended. */
export async function runInNestedHost(run: NestedRun): Promise<NestedResult> {
  const base = buildBase();
  await vmmMain();
  const folder = mkdtempSync(join(tmpdir(), "dvm-nested-"));
  try {
    const initramfs = join(folder, "initramfs");
    execFileSync("sh", [
      "-c",
      'cat "$1" "$2" >"$3"',
      "sh",
      base.initramfs,
      buildProject(folder, run),
      initramfs,
    ]);
    return await boot(base.kernel, initramfs, run);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Kernel, modules, BusyBox and Node; made once, from Debian's packages and this Node. */
function buildBase(): { readonly kernel: string; readonly initramfs: string } {
  const kernel = join(cache, "vmlinuz");
  const initramfs = join(cache, BASE_NAME);
  if (existsSync(initramfs)) return { kernel, initramfs };
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "dvm-nested-"));
  try {
    const unpacked = unpackKernel(folder);
    const root = join(folder, "root");
    for (const name of ["bin", "dev", "proc", "sys", "tmp", "lib/modules", "sys/fs/cgroup"]) {
      mkdirSync(join(root, name), { recursive: true });
    }
    const [version = ""] = readdirSync(join(unpacked, "lib/modules"));
    for (const module of MODULES) {
      cpSync(
        join(unpacked, "lib/modules", version, "kernel", `${module}.ko`),
        join(root, "lib/modules", basename(`${module}.ko`)),
      );
    }
    cpSync("/bin/busybox", join(root, "bin/busybox"));
    execFileSync("strip", ["-o", join(root, "bin/node"), process.execPath]);
    copyLibraries(process.execPath, root);
    const image = join(folder, "base.cpio");
    archive(root, image);
    execFileSync("cp", [join(unpacked, "boot", `vmlinuz-${version}`), kernel]);
    execFileSync("cp", [image, `${initramfs}.new`]);
    renameSync(`${initramfs}.new`, initramfs);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { kernel, initramfs };
}

function unpackKernel(folder: string): string {
  const dependencies = execFileSync("apt-cache", ["depends", KERNEL_PACKAGE], { encoding: "utf8" });
  const name = /Depends: (linux-image-\S+)/.exec(dependencies)?.[1];
  if (name === undefined) throw new Error(`no kernel behind the package ${KERNEL_PACKAGE}`);
  execFileSync("apt-get", ["download", name], { cwd: folder, stdio: "ignore" });
  const [file = ""] = readdirSync(folder).filter((entry) => entry.endsWith(".deb"));
  const unpacked = join(folder, "kernel");
  execFileSync("dpkg", ["-x", join(folder, file), unpacked]);
  return unpacked;
}

/** The shared libraries that a program is linked with, at their own paths. */
function copyLibraries(program: string, root: string): void {
  const lines = execFileSync("ldd", [program], { encoding: "utf8" }).split("\n");
  for (const line of lines) {
    const path = /(\/\S+) \(/.exec(line)?.[1];
    if (path !== undefined) copyFile(path, root);
  }
}

/** Copies what `path` is, through symbolic links, to the same place under `root`. */
function copyFile(path: string, root: string): void {
  mkdirSync(join(root, dirname(path)), { recursive: true });
  execFileSync("cp", ["-L", path, join(root, path)]);
}

/** npm packages and all that they depend on. */
function withDependencies(names: readonly string[]): string[] {
  const found = new Set<string>();
  for (const queue = [...names]; queue.length > 0; ) {
    const name = queue.pop() ?? "";
    const manifest = join(project, "node_modules", name, "package.json");
    if (found.has(name) || !existsSync(manifest)) continue;
    found.add(name);
    const { dependencies = {} } = JSON.parse(readFileSync(manifest, "utf8")) as {
      dependencies?: Record<string, string>;
    };
    queue.push(...Object.keys(dependencies));
  }
  return [...found];
}

/** The project and what the run brings along, as an archive to append to the base. */
function buildProject(folder: string, { command, files = {}, programs = [] }: NestedRun): string {
  const root = join(folder, "project");
  const inside = join(root, "dvm");
  mkdirSync(inside, { recursive: true });
  const packages = withDependencies(PACKAGES).map((name) => `node_modules/${name}`);
  for (const part of [...packages, ...PROJECT_PARTS]) {
    cpSync(join(project, part), join(inside, part), { recursive: true, dereference: true });
    if (SOURCES.includes(part)) stripTypes(join(inside, part));
  }
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(join(inside, dirname(path)), { recursive: true });
    cpSync(source, join(inside, path), { recursive: true });
    stripTypes(join(inside, path));
  }
  for (const program of programs) {
    copyFile(program, root);
    copyLibraries(program, root);
  }
  writeFileSync(join(root, "plain.mjs"), PLAIN_LOADER);
  writeFileSync(join(root, "command"), command);
  writeFileSync(join(root, "init"), INIT, { mode: 0o755 });
  const image = join(folder, "project.cpio");
  archive(root, image);
  return image;
}

/** Its first lines put another mount over the initial one, in which no sandbox could change its root. */
const INIT = `#!/bin/busybox sh
if [ ! -d /proc/self ]; then
  /bin/busybox mkdir -p /over
  /bin/busybox mount --bind / /over
  cd /over
  /bin/busybox mount --move . /
  /bin/busybox mount -t proc proc proc
  exec /bin/busybox chroot . /init
fi
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp DVM_NODE=/bin/node NODE_OPTIONS=--import=/plain.mjs
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mkdir -p /run /var/lib /etc
printf 'root:x:0:0::/:/bin/sh\\nnobody:x:65534:65534::/:/bin/sh\\n' >/etc/passwd
printf 'root:x:0:\\nnogroup:x:65534:\\n' >/etc/group
mkdir -p /dev/pts && mount -t devpts pts /dev/pts
mount -t cgroup2 cgroup /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
mkdir -p /dev/net && [ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
for module in ${MODULES.map((module) => basename(module)).join(" ")}; do insmod /lib/modules/$module.ko; done
ip link set lo up
dmesg -n 1
cd /dvm
sh /command
echo "${EXIT_MARKER}$?"
poweroff -f
`;

function archive(root: string, image: string): void {
  execFileSync("sh", ["-c", 'find . | cpio --quiet -o -H newc -R 0:0 >"$1"', "sh", image], {
    cwd: root,
  });
}

function boot(kernel: string, initramfs: string, run: NestedRun): Promise<NestedResult> {
  const child = spawn(
    "qemu-system-x86_64",
    [
      ...["-M", "q35,accel=tcg", "-cpu", "max", "-m", "2048"],
      ...(run.counted ? ["-smp", "1", "-icount", "shift=0,sleep=off"] : ["-smp", "2"]),
      ...["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"],
      ...["-kernel", kernel, "-initrd", initramfs],
      ...[
        "-append",
        `console=ttyS0 quiet panic=-1 cryptomgr.notests mitigations=off audit=1 ${LOCKUP}`,
      ],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const { promise, resolve: settle, reject } = Promise.withResolvers<NestedResult>();
  const timer = setTimeout(() => child.kill("SIGKILL"), run.timeout);
  let fellSilent = false;
  const silence = setTimeout(() => {
    fellSilent = true;
    child.kill("SIGKILL");
  }, SILENCE);
  let output = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    output += text;
    silence.refresh();
    run.onOutput?.(text);
  });
  child.on("error", reject);
  child.on("close", () => {
    clearTimeout(timer);
    clearTimeout(silence);
    const code = new RegExp(`^${EXIT_MARKER}(\\d+)`, "m").exec(output)?.[1];
    settle({ exitCode: code === undefined ? undefined : Number(code), output, fellSilent });
  });
  return promise;
}
