/** What may happen to a container between its creation and its removal. */

import { readText } from "../file-access.ts";
import { CONTAINER, DISK, MiB, type Scenarios, TTY, thrown } from "./bench.ts";

const SIGTERM = 15;

export const LIFE_SCENARIOS: Scenarios = {
  "out of memory": (bench) => {
    const id = bench.create({ resources: { memory: 16 * MiB } });
    const started = bench.start(id, "tail /dev/zero; echo survived $?");
    const told = bench.awaitOom(id, 30_000);
    return {
      told,
      again: bench.containers.newOomKill(id),
      outcome: bench.finish(started),
      oomKills: bench.containers.stats(id).oomKills,
    };
  },
  "fork bomb": (bench) =>
    bench.run(
      "i=0; while [ $i -lt 30 ]; do sleep 1 & i=$((i+1)); done 2>&1 | head -c 300",
      {},
      { resources: { pids: 10 } },
    ),
  "standard input": (bench) => {
    const id = bench.create();
    const started = bench.start(id, "cat; echo end", { stdio: { stdin: 0, stdout: 1, stderr: 2 } });
    bench.sys.write(started.stdin ?? -1, Uint8Array.of(104, 105, 10));
    bench.sys.close(started.stdin ?? -1);
    return bench.finish({ ...started, stdin: undefined });
  },
  "no standard input": (bench) => bench.run("cat; echo end"),
  terminal: (bench) =>
    bench.run(
      "tty; stty size; ls -l /dev/console | cut -c1; echo $TERM; stat -c %u:%g:%a /dev/pts/0",
      { ...TTY, user: "web" },
    ),
  "terminal resized and interrupted": (bench) => {
    const id = bench.create();
    const started = bench.start(
      id,
      "trap 'stty size' WINCH; trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done",
      TTY,
    );
    const failure = bench.settle(started);
    const ready = bench.readUntil(started.terminal, "ready");
    bench.containers.resize(id, "init", { rows: 50, columns: 132 });
    const size = bench.readUntil(started.terminal, "50 132");
    bench.sys.write(started.terminal ?? -1, Uint8Array.of(3));
    const end = bench.readUntil(started.terminal, "caught");
    return { failure: failure?.message, ready, size, end, exit: bench.exit(started.pid)?.code };
  },
  "several processes": (bench) => {
    const id = bench.create();
    const first = bench.start(id, "echo one; trap 'exit 7' TERM; while :; do sleep 0.1; done");
    bench.settle(first);
    const seen = bench.readUntil(first.stdout, "one");
    const second = bench.finish(
      bench.exec(
        id,
        "e1",
        "hostname; id -u; ps -o pid,args | grep -c 'while :'; for n in mnt pid uts ipc net cgroup; do [ $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) ] && echo same; done; cat /proc/self/cgroup; grep -E 'Seccomp:|CapEff' /proc/self/status",
        { user: "" },
      ),
    );
    const other = bench.finish(
      bench.exec(id, "e2", "id -un; tty; exit 5", { ...TTY, user: "web" }),
    );
    const missing = bench.finish(bench.exec(id, "e3", ["nope"]));
    const names = bench.containers.list();
    const top = bench.containers
      .processes(id)
      .map(({ uid, command, terminal }) => `${uid} ${terminal} ${command}`);
    const stats = bench.containers.stats(id);
    bench.containers.signal(id, "init", SIGTERM);
    const exit = bench.exit(first.pid);
    const late = thrown(() => bench.exec(id, "e4", "true"));
    return { seen, second, other, missing, names, top, stats, exit: exit?.code, late };
  },
  "exec dies with the container": (bench) => {
    const id = bench.create();
    const first = bench.start(id, "sleep 1");
    bench.settle(first);
    const second = bench.exec(id, "e1", "sleep 100");
    bench.settle(second);
    return { first: bench.exit(first.pid)?.code, second: bench.exit(second.pid)?.code };
  },
  "small init": (bench) => {
    const id = bench.create({ init: true });
    const first = bench.start(
      id,
      "cat /proc/1/comm; echo $$; (sleep 0.1 &); sleep 0.5; ps -o stat,args | grep -c '^Z'; trap 'echo term; exit 4' TERM; echo ready; while :; do sleep 0.1; done",
    );
    bench.settle(first);
    const out = bench.readUntil(first.stdout, "ready");
    bench.containers.signal(id, "init", SIGTERM);
    const rest = bench.readUntil(first.stdout, "term");
    return { out, rest, exit: bench.exit(first.pid)?.code };
  },
  "small init without a command": (bench) => bench.run(["nope"], {}, { init: true }),
  "pause and resume": (bench) => {
    const id = bench.create();
    const first = bench.start(
      id,
      "i=0; echo 0 > /n; echo go; while :; do i=$((i+1)); echo $i > /n; done",
    );
    bench.settle(first);
    bench.readUntil(first.stdout, "go");
    bench.containers.pause(id);
    const twice = thrown(() => bench.containers.pause(id));
    const exec = thrown(() => bench.exec(id, "e", "true"));
    bench.sys.poll([], 300);
    const counter = (): string => readText(bench.sys, `/run/dvm/containers/${id}/root/n`);
    const before = counter();
    bench.sys.poll([], 300);
    const frozen = before === counter();
    bench.containers.resume(id);
    bench.sys.poll([], 300);
    return {
      frozen,
      moves: before !== counter(),
      twice,
      exec,
      again: thrown(() => bench.containers.resume(id)),
    };
  },
  update: (bench) => {
    const id = bench.create({ resources: { memory: 64 * MiB } });
    const first = bench.start(id, "sleep 100");
    bench.settle(first);
    bench.containers.update(id, { memory: 128 * MiB, pids: 33, cpuQuota: 20_000 });
    const seen = bench.finish(
      bench.exec(id, "e", "cd /sys/fs/cgroup; cat memory.max pids.max cpu.max"),
    );
    return {
      seen,
      limit: bench.containers.stats(id).memoryLimitBytes,
      bad: thrown(() => bench.containers.update(id, { cpusetCpus: "900" })),
    };
  },
  "two containers": (bench) => {
    const a = bench.create({ hostname: "a" });
    const b = bench.create({ hostname: "b" });
    const first = bench.start(a, "echo a > /who; sleep 100");
    bench.settle(first);
    const second = bench.finish(bench.start(b, "hostname; ls /who; ls /proc | grep -c ^[0-9]"));
    return {
      second,
      twice: thrown(() => bench.containers.create(a, CONTAINER)),
      running: thrown(() => bench.start(a, "true")),
    };
  },
  "run again": (bench) => {
    const id = bench.create();
    const first = bench.finish(bench.start(id, "echo once > /kept"));
    return { first, second: bench.finish(bench.start(id, "cat /kept", TTY)) };
  },
  "writable disk": (bench) => {
    const first = bench.run("echo data > /kept; rm /etc/garbage; sync", {}, { rootfs: DISK });
    return {
      first,
      second: bench.run(
        "cat /kept; ls /etc/garbage; grep -c upperdir=/run/dvm/disks/upper /proc/mounts",
        {},
        { rootfs: DISK },
      ),
    };
  },
};
