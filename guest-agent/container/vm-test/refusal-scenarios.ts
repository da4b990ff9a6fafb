/** What must be refused, must not escape, and must not be left behind. */

import { isSyscallError } from "../../syscalls/syscalls.ts";
import { listFolder, readText } from "../file-access.ts";
import { type Bench, CONTAINER, DISK, HOSTILE, type Scenarios, TTY, thrown } from "./bench.ts";

export const REFUSAL_SCENARIOS: Scenarios = {
  "guest's namespaces": (bench) => {
    const guest = {
      network: "guest",
      pid: "guest",
      ipc: "guest",
      uts: "guest",
      cgroup: "guest",
      user: "guest",
    } as const;
    return bench.run(
      "hostname; [ $$ -gt 1 ] && echo high; cat /proc/self/cgroup; sleep 100 > /dev/null 2>&1 & echo left",
      {},
      { namespaces: guest },
    );
  },
  "hostile image": (bench) => {
    const mounts = [
      { destination: "/out/escaped", type: "tmpfs" as const, source: "", options: [] },
      { destination: "/loop/x", type: "tmpfs" as const, source: "", options: [] },
    ];
    return {
      ordinary: bench.run(
        "cat /run/dvm/escape | head -1; cat /somewhere/resolv.conf; readlink /etc/hosts; pwd",
        { cwd: "/work/x" },
        { rootfs: HOSTILE },
      ),
      escaped: bench.run(
        "grep escaped /proc/mounts",
        {},
        { rootfs: HOSTILE, mounts: mounts.slice(0, 1) },
      ),
      loop: bench.run("true", {}, { rootfs: HOSTILE, mounts: mounts.slice(1) }),
      intoProc: bench.run(
        "true",
        {},
        {
          rootfs: HOSTILE,
          mounts: [{ destination: "/data/sys", type: "tmpfs", source: "", options: [] }],
        },
      ),
      named: bench.run("id", { user: "root" }, { rootfs: HOSTILE }),
      guestUntouched: thrown(() => bench.sys.stat("/run/dvm/escape")),
    };
  },
  "image with /proc as a link": (bench) =>
    bench.run("true", {}, { rootfs: { ...HOSTILE, imageSerial: "badproc" } }),
  "refused specifications": (bench) => ({
    disk: thrown(() => bench.create({ rootfs: { ...HOSTILE, imageSerial: "none" } })),
    upper: thrown(() =>
      bench.create({ rootfs: { ...CONTAINER.rootfs, upper: { kind: "disk", serial: "none" } } }),
    ),
    serial: thrown(() => bench.create({ rootfs: { ...HOSTILE, imageSerial: "../x" } })),
    limit: thrown(() => bench.create({ resources: { cpusetCpus: "900" } })),
    name: thrown(() => bench.containers.create("../x", CONTAINER)),
    none: thrown(() => bench.containers.remove("nope")),
    proc: thrown(() =>
      bench.create({
        mounts: [{ destination: "/proc/x", type: "tmpfs", source: "", options: [] }],
      }),
    ),
    capability: thrown(() => bench.run("true", { capAdd: ["NOPE"] })),
    sysctl: thrown(() => bench.create({ sysctls: { "kernel.panic": "1" } })),
    rlimit: thrown(() =>
      bench.run("true", { rlimits: [{ name: "nofile", soft: 5, hard: 2_000_000_000 }] }),
    ),
  }),
  "nothing left": (bench) => {
    const descriptors = (): number => listFolder(bench.sys, "/proc/self/fd").length;
    const before = descriptors();
    bench.run("true", TTY);
    bench.run(["nope"]);
    const mapped = { namespaces: { ...CONTAINER.namespaces, user: "private" } } as const;
    const mounts = [{ destination: "/v", type: "disk" as const, source: "upper", options: [] }];
    bench.run("true", TTY, { ...mapped, rootfs: DISK, mounts });
    bench.run(["nope"], {}, mapped);
    thrown(() => bench.create({ ...mapped, resources: { cpusetCpus: "900" } }));
    thrown(() => bench.create({ resources: { cpusetCpus: "900" } }));
    const id = bench.create({ rootfs: DISK });
    const first = bench.start(id, "trap '' TERM INT; sleep 1000 & sleep 1000", { stdio: {} });
    bench.settle(first);
    bench.containers.remove(id);
    const ended = bench.sys.wait4(first.pid, 0);
    bench.clear();
    return {
      signal: (ended?.status ?? 0) & 0x7f,
      untold: bench.containers.onExit(first.pid, 9) ?? null,
      mounts: readText(bench.sys, "/proc/mounts")
        .split("\n")
        .filter((line) => line.includes("/run/dvm")),
      folders: [
        ...listFolder(bench.sys, "/run/dvm/containers"),
        ...listFolder(bench.sys, "/run/dvm/disks"),
      ],
      groups: listFolder(bench.sys, "/sys/fs/cgroup/dvm").filter((name) => /^c\d/.test(name)),
      children: childrenLeft(bench),
      descriptors: descriptors() - before,
    };
  },
};

function childrenLeft(bench: Bench): string {
  try {
    return `one: ${bench.sys.wait4(-1, 1)?.pid}`;
  } catch (error) {
    return isSyscallError(error, "ECHILD") ? "none" : String(error);
  }
}
