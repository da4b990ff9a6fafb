/** What a container with a user namespace of its own sees, and what of it shows in the guest. */

import type { FileTask } from "../../protocol/container-spec.ts";
import { readText } from "../file-access.ts";
import { type Bench, CONTAINER, DISK, type Scenarios, TTY } from "./bench.ts";

const MAPPED = { namespaces: { ...CONTAINER.namespaces, user: "private" } } as const;

export const USER_SCENARIOS: Scenarios = {
  "mapped root": (bench) =>
    bench.run(
      "id -u; cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '; echo $$; hostname; stat -c '%u:%g %n' / /bin/busybox /dev /dev/null /dev/shm /etc/hosts; echo x > /dev/null && echo null; ulimit -n; cat /proc/self/cgroup; grep -c CapEff:.00000000a80425fb /proc/self/status",
      {},
      MAPPED,
    ),
  "mapped user": (bench) =>
    bench.run(
      "id; echo x > /tmp/mine; stat -c %u:%g /tmp/mine; echo y > /dev/stdout; echo z > /data/no",
      { user: "web" },
      MAPPED,
    ),
  "mapped files on disk": (bench) => {
    const id = bench.create({ ...MAPPED, rootfs: DISK });
    const outcome = bench.finish(
      bench.start(
        id,
        "echo hi > /mapped; mkdir -p /made/deep; touch /made/web; chown 33:33 /made/web; chmod 700 /data; stat -c '%u:%g %n' /mapped /made/web /data",
        { cwd: "/new/folder" },
      ),
    );
    const upper = "/run/dvm/disks/upper/upper";
    const onDisk = ["mapped", "made/web", "data", "new/folder"].map((name) =>
      owner(bench, `${upper}/${name}`),
    );
    const archive = (task: FileTask): string =>
      bench.finish(bench.containers.files(id, "files", { task, stdio: { stdout: 1, stderr: 2 } }))
        .stdout;
    const owners = [
      archive({ kind: "read", path: "/made/web" }).split("\n").slice(1).join("\n"),
      archive({ kind: "layer" }),
    ].map((tar) => tarOwner(tar, "web"));
    bench.containers.remove(id);
    return { outcome, onDisk, owners };
  },
  "mapped disk": (bench) => {
    const mounts = [
      { destination: "/volume", type: "disk" as const, source: "upper", options: [] },
    ];
    const id = bench.create({ ...MAPPED, mounts });
    const outcome = bench.finish(
      bench.start(
        id,
        "echo x > /volume/kept; chown 33:33 /volume/kept; stat -c %u:%g /volume /volume/kept",
      ),
    );
    const onDisk = owner(bench, "/run/dvm/disks/upper/kept");
    bench.containers.remove(id);
    return { outcome, onDisk };
  },
  "mapped root's limits": (bench) =>
    bench.run(
      "mknod /tmp/disk b 254 0; cat /tmp/disk; echo 1 > /proc/sys/kernel/panic; echo 1 > /proc/sys/vm/overcommit_memory; mount -t tmpfs none /tmp; ls /run/dvm; kill -9 -1; ps | wc -l",
      { seccomp: "unconfined", capAdd: ["SYS_ADMIN"] },
      MAPPED,
    ),
  "mapped administrator": (bench) =>
    bench.run(
      "mount -t tmpfs none /tmp && echo mounted; hostname other && hostname; ip link set lo down && echo down; mount -o remount,rw,bind /proc/sys; echo 1 > /proc/sys/kernel/panic; mount -t ext4 /dev/vda /tmp",
      { seccomp: "unconfined", capAdd: ["SYS_ADMIN", "NET_ADMIN"] },
      MAPPED,
    ),
  "mapped settings": (bench) =>
    bench.run(
      "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward; cat /proc/self/oom_score_adj; ulimit -Hn; ls /sys/class/net",
      { rlimits: [{ name: "nofile", soft: 100, hard: 500_000 }], oomScoreAdj: -100 },
      { ...MAPPED, sysctls: { "net.ipv4.ip_forward": "1", "kernel.msgmax": "9000" } },
    ),
  "mapped in the guest's network": (bench) =>
    bench.run(
      "ls /sys/class/net; ip link set lo up || echo refused",
      { capAdd: ["NET_ADMIN"] },
      { namespaces: { ...MAPPED.namespaces, network: "guest" } },
    ),
  "mapped terminal": (bench) =>
    bench.run(
      "tty; stat -c %u:%g:%a /dev/pts/0; echo x > /dev/console && echo ok",
      { ...TTY, user: "web" },
      MAPPED,
    ),
  "mapped exit codes": (bench) => [
    bench.run("exit 7", {}, MAPPED).code,
    bench.run("kill -TERM $$; sleep 1", {}, { ...MAPPED, init: true }).code,
    bench.run(["nope"], {}, MAPPED).failureExit,
    bench.run("true", { user: "nobody" }, MAPPED).failure,
    bench.run("true", {}, { ...MAPPED, rootfs: { ...CONTAINER.rootfs, imageSerial: "badproc" } })
      .failure,
  ],
  "mapped exec": (bench) => {
    const id = bench.create(MAPPED);
    const first = bench.start(id, "echo one; trap 'exit 7' TERM; while :; do sleep 0.1; done");
    bench.settle(first);
    bench.readUntil(first.stdout, "one");
    const status = readText(bench.sys, `/proc/${first.pid}/status`);
    const second = bench.finish(
      bench.exec(
        id,
        "e1",
        "id -u; cat /proc/self/uid_map | tr -s ' '; hostname; [ $(readlink /proc/self/ns/user) = $(readlink /proc/1/ns/user) ] && echo same; ulimit -Hn; echo in > /tmp/f; stat -c %u /tmp/f; kill -TERM 1 && echo sent",
      ),
    );
    const code = bench.finish(first).code;
    return { uid: /^Uid:.*$/m.exec(status)?.[0], second, code };
  },
};

function owner(bench: Bench, path: string): string {
  const { uid, gid } = bench.sys.stat(path);
  return `${uid}:${gid}`;
}

/** Owner of the archive's entry `web`, read as POSIX.1-1988 ustar has it: octal digits at 108 and at 116. */
function tarOwner(tar: string, name: string): string {
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    const path = tar.slice(at, at + 100).split("\0")[0] ?? "";
    if (path !== name && !path.endsWith(`/${name}`)) continue;
    const number = (start: number): number =>
      Number.parseInt(tar.slice(at + start, at + start + 8), 8);
    return `${number(108)}:${number(116)}`;
  }
  return "no such entry";
}
