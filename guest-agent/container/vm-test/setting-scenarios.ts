/** What a process finds when it starts: names, identity, privileges, mounts, limits. */

import { writeNewText } from "../file-access.ts";
import { CONTAINER, MiB, type Scenarios } from "./bench.ts";

const status = (name: string): string => `grep -E '^(${name}):' /proc/self/status`;

/** Makes nodes of the kernel's log, the machine's console and each disk, and tries to open them. */
const OPEN_DEVICES = `cd /tmp
mknod log c 1 11 && mknod console c 5 1 && mknod null c 1 3 || exit 9
for d in /sys/class/block/vd*; do mknod \${d##*/} b $(tr : ' ' < $d/dev) || exit 9; done
for d in log console null vd*; do (exec < $d) 2> /dev/null && echo $d opens || echo $d stays shut; done`;

export const SETTING_SCENARIOS: Scenarios = {
  "output and exit code": (bench) => bench.run("echo out; echo err >&2; exit 3"),
  "death by a signal": (bench) =>
    bench.run("kill -TERM $$", {}, { namespaces: { ...CONTAINER.namespaces, pid: "guest" } }),
  names: (bench) =>
    bench.run(
      "hostname; cat /etc/hostname /etc/resolv.conf; head -1 /etc/hosts; echo $HOSTNAME $HOME $$",
    ),
  "no command": (bench) => bench.run(["nope"]),
  "folder as command": (bench) => bench.run(["/etc"]),
  "plain file as command": (bench) => bench.run(["/etc/passwd"]),
  "garbage as command": (bench) => bench.run(["/etc/garbage"]),
  "missing interpreter": (bench) => bench.run(["/etc/noshell"]),
  "missing path": (bench) => bench.run(["/no/such"]),
  "user by name": (bench) => bench.run("id; echo $HOME; : > /dev/stdout", { user: "web" }),
  "user by number": (bench) =>
    bench.run("id -u; id -g; id -G; echo $HOME", { user: "1234:56", additionalGroups: ["audio"] }),
  "unknown user": (bench) => bench.run("id", { user: "nobody" }),
  "root's capabilities": (bench) => bench.run(status("Cap.*|NoNewPrivs|Seccomp")),
  "another's capabilities": (bench) => bench.run(status("Cap.*"), { user: "web" }),
  "changed capabilities": (bench) =>
    bench.run(status("CapEff"), { capDrop: ["ALL"], capAdd: ["NET_ADMIN", "KILL"] }),
  "no new privileges": (bench) =>
    bench.run(status("NoNewPrivs|Seccomp"), { noNewPrivileges: true, user: "web" }),
  privileged: (bench) =>
    bench.run(
      `${status("CapEff|Seccomp")}; mount -t tmpfs x /tmp && echo mounted; echo q > /proc/sys/kernel/domainname && echo writable; mkdir /sys/fs/cgroup/x && echo cgroup`,
      { privileged: true },
      { privileged: true },
    ),
  "seccomp default": (bench) =>
    bench.run("unshare -m true; mount -t tmpfs x /tmp; chroot / true && echo chroot", {
      capAdd: ["SYS_PTRACE"],
    }),
  "seccomp unconfined": (bench) => bench.run(status("Seccomp"), { seccomp: "unconfined" }),
  "seccomp of the user's": (bench) =>
    bench.run("mkdir /tmp/x; echo $?; echo still here", {
      seccomp: JSON.stringify({
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 13 }],
      }),
    }),
  "32-bit program": (bench) => bench.run(["/bin/i386"], { seccomp: "default" }),
  "protected paths": (bench) =>
    bench.run(
      "echo x > /proc/sys/kernel/domainname; echo b > /proc/sysrq-trigger; ls /sys/firmware | wc -l; wc -c < /proc/timer_list; mkdir /sys/fs/cgroup/x; echo 1 > /sys/kernel/mm/ksm/run; umount /proc/sys",
      { capAdd: ["SYS_RESOURCE"] },
    ),
  devices: (bench) =>
    bench.run(
      "ls /dev; for d in null zero full random urandom tty ptmx; do stat -L -c '%n %t:%T %a' /dev/$d; done; for l in fd stdin ptmx core; do readlink /dev/$l; done; head -c 3 /dev/zero | wc -c; stat -c '%a' /dev/shm /dev/pts; df -k /dev/shm | tail -1",
    ),
  "other devices": (bench) => bench.run(OPEN_DEVICES, { capAdd: ["SYS_ADMIN", "SYS_RAWIO"] }),
  "other devices, privileged": (bench) =>
    bench.run(OPEN_DEVICES, { privileged: true }, { privileged: true }),
  "other devices by exec": (bench) => {
    const id = bench.create();
    const first = bench.start(id, "read x", { stdio: { stdin: 0 } });
    bench.settle(first);
    return bench.finish(bench.exec(id, "second", OPEN_DEVICES));
  },
  "mount table": (bench) => bench.run("cat /proc/mounts"),
  "read-only root": (bench) =>
    bench.run(
      "touch /x; touch /tmp/x && echo tmp; touch /dev/shm/x && echo shm",
      {},
      {
        rootfs: { ...CONTAINER.rootfs, readOnly: true },
        mounts: [{ destination: "/tmp", type: "tmpfs", source: "", options: ["size=1m", "exec"] }],
      },
    ),
  "tmpfs options": (bench) =>
    bench.run(
      "grep ' /data ' /proc/mounts; grep ' /new/deep ' /proc/mounts; stat -c %a /data /new/deep /tmp; head -c 2000000 /dev/zero > /data/big",
      {},
      {
        mounts: [
          {
            destination: "/new/deep",
            type: "tmpfs",
            source: "",
            options: ["rw", "exec", "mode=1700"],
          },
          { destination: "/data", type: "tmpfs", source: "", options: ["size=1m"] },
          { destination: "/tmp", type: "tmpfs", source: "", options: [] },
        ],
      },
    ),
  "bind and disk mounts": (bench) => {
    writeNewText(bench.sys, "/run/shared", "from the guest\n");
    const mounts = [
      { destination: "/shared", type: "bind" as const, source: "/run/shared", options: ["ro"] },
      { destination: "/disk", type: "disk" as const, source: "upper", options: ["noexec"] },
      { destination: "/etc/hosts", type: "bind" as const, source: "/run/shared", options: [] },
    ];
    return bench.run(
      "cat /shared /etc/hosts; echo x > /shared; touch /disk/kept; grep -E ' (/shared|/disk) ' /proc/mounts",
      {},
      { mounts },
    );
  },
  "mount over a protected view": (bench) =>
    bench.run(
      "ls -A /sys | wc -l",
      {},
      { mounts: [{ destination: "/sys", type: "tmpfs", source: "", options: [] }] },
    ),
  "resource limits": (bench) =>
    bench.run(
      "cd /sys/fs/cgroup; cat memory.max memory.swap.max cpu.max cpu.weight pids.max cpuset.cpus; ulimit -n; ulimit -c; cat /proc/self/oom_score_adj; cat /proc/self/cgroup; ls -d /sys/fs/cgroup/dvm",
      {
        rlimits: [
          { name: "nofile", soft: 100, hard: 200 },
          { name: "core", soft: 0, hard: 0 },
        ],
        oomScoreAdj: 100,
      },
      {
        resources: {
          memory: 32 * MiB,
          memorySwap: 32 * MiB,
          cpuQuota: 50_000,
          cpuShares: 512,
          pids: 20,
          cpusetCpus: "0",
        },
      },
    ),
  "working directory": (bench) =>
    bench.run("pwd; stat -c '%u:%g %a' .", { cwd: "/a/b/../c", user: "web" }),
  environment: (bench) =>
    bench.run(["/bin/env"], { env: ["A=1", "B=x=y", "A=2", "U=h\u00fc\ud83d\ude00"] }),
  "bytes that are no text": (bench) => bench.run(["/bin/echo", "-n", "a\udcffb"]),
  sysctls: (bench) =>
    bench.run(
      "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax",
      {},
      { sysctls: { "net.ipv4.ip_forward": "1", "kernel.msgmax": "9000" } },
    ),
  "private network": (bench) =>
    bench.run("ip -o link; ping -c1 -W1 127.0.0.1 > /dev/null && echo pong; ls /sys/class/net"),
};
