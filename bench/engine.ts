/**
 * The engine: what dvmd adds to a machine's start, to a command in a container, to its output, and what it takes to
 * hold idle containers.
 *
 * usage: node bench/engine.ts [RUNS] [IDLE CONTAINERS]
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { chooseBackend } from "../host/vmm/factory.ts";
import { probeHost } from "../host/vmm/probe.ts";
import { openOwnDaemon } from "./engine/own-daemon.ts";
import { openPodman, quiet } from "./engine/podman-container.ts";
import { outputOf, rawPort } from "./engine/throughput.ts";
import { describeEnvironment } from "./environment.ts";
import { floodInitramfs, floorInitramfs } from "./floor/floor-initramfs.ts";
import { startBareQemu } from "./floor/qemu.ts";
import { interleave } from "./measure/interleave.ts";
import { cpuTimeOf, memoryOf } from "./measure/processes.ts";
import { spawned } from "./measure/spawned.ts";
import { DVM } from "./paths.ts";
import { report } from "./report.ts";

/** Memory that a container without a limit gets, in `MiB`. */
const MEMORY = 512;
/** The file that is read again and again, and what comes out of it and out of the port, in `bytes`. */
const FILE = 64 * 2 ** 20;
const OUTPUT = 2 ** 30;
/** Less where each line goes into a log. */
const LOGGED = 64 * 2 ** 20;
/** What a program is given to write again and again: making text takes a guest longer than handing it on. */
const BLOCK = 2 ** 20;
const LINE = "the quick brown fox jumps over the lazy dog, and then some more of the same text";
/** How long idle containers are watched, in `milliseconds`. */
const IDLE_TIME = 20_000;

const runs = Number(process.argv[2] ?? 10);
const idle = Number(process.argv[3] ?? 20);
const folder = await mkdtemp(join(tmpdir(), "dvm-bench-"));
await using undo = new AsyncDisposableStack();
undo.defer(() => rm(folder, { recursive: true, force: true }));
const environment = await describeEnvironment();
const probe = await probeHost({ cacheDirectory: folder });
const { accelerator } = chooseBackend({ vmm: "qemu", accel: "auto" }, probe).choice;
const { tscKhz } = probe;
const machine = { accelerator, memoryMiB: MEMORY, ...(tscKhz && { tscKhz }) };
const daemon = undo.use(await openOwnDaemon(folder));
const { dvm } = daemon;
const time = async (...words: string[]) => (await spawned(dvm(...words))).end;

await commandLine();
await runDetached();
await execs();
await output();
await idleContainers();

async function commandLine(): Promise<void> {
  const node = async () => (await spawned({ command: process.execPath, args: ["-e", ""] })).end;
  const help = async () => (await spawned({ command: DVM, args: ["--help"] })).end;
  const arms = [
    { name: "node -e ''", once: node },
    { name: "dvm --help", once: help },
  ];
  await report("engine-help", { environment, unit: "ms", ...(await interleave(arms, runs)) });
}

async function runDetached(): Promise<void> {
  const initramfs = await floorInitramfs(folder);
  const floor = async () => {
    const started = performance.now();
    await startBareQemu({ ...machine, initramfs }).end;
    return performance.now() - started;
  };
  const run = async () => {
    const end = await time("run", "-d", "--name", "bench", "--network", "none", "busybox", "cat");
    await time("rm", "-f", "bench");
    return end;
  };
  const arms = [
    { name: `floor: QEMU (${accelerator}) and an init that powers off`, once: floor },
    { name: "dvm run -d busybox cat", once: run },
  ];
  await report("engine-run", { environment, unit: "ms", ...(await interleave(arms, runs)) });
}

async function execs(): Promise<void> {
  const name = "bench-exec";
  await time("run", "-d", "--name", name, "busybox", "sleep", "1000000");
  const theirs = await openPodman(folder, name);
  const arms = [
    { name: "podman exec C true", once: () => quiet(theirs.command("exec", name, "true")) },
    { name: "dvm exec C true", once: () => quiet(dvm("exec", name, "true")) },
  ];
  try {
    await report("engine-exec", { environment, unit: "ms", ...(await interleave(arms, runs)) });
  } finally {
    await theirs[Symbol.asyncDispose]();
  }
  await time("rm", "-f", name);
}

async function output(): Promise<void> {
  const initramfs = await floodInitramfs(folder, OUTPUT);
  const block = `yes '${LINE}' | head -c ${BLOCK} > /tmp/b`;
  const repeated = (file: string, times: number) => Array.from({ length: times }, () => file);
  const cat = (bytes: number) => `cat ${repeated("/tmp/b", bytes / BLOCK).join(" ")}`;
  const fill = `${block}; ${cat(FILE)} > /dev/shm/f; exec sleep 1000000`;
  await time("run", "-d", "--name", "bench", "--shm-size", "128m", "busybox", "sh", "-c", fill);
  const isFilled = `test -f /dev/shm/f && wc -c /dev/shm/f || true`;
  while (
    (await spawned(dvm("exec", "bench", "sh", "-c", isFilled))).stdout !== `${FILE} /dev/shm/f\n`
  )
    await setTimeout(500);
  const logged = ["run", "--rm", "--network", "none", "busybox", "sh", "-c"];
  const arms = [
    {
      name: "a program in a machine to its virtio-console port",
      once: () => rawPort({ ...machine, initramfs, bytes: OUTPUT }),
    },
    {
      name: "dvm exec C cat",
      once: () =>
        outputOf(dvm("exec", "bench", "cat", ...repeated("/dev/shm/f", OUTPUT / FILE)), OUTPUT),
    },
    {
      name: "dvm run cat, logged",
      once: () => outputOf(dvm(...logged, `${block}; ${cat(LOGGED)}`), LOGGED),
    },
  ];
  const rounds = Math.ceil(runs / 3);
  await report("engine-output", {
    environment,
    unit: "ms/MiB",
    ...(await interleave(arms, rounds)),
  });
  await time("rm", "-f", "bench");
}

async function idleContainers(): Promise<void> {
  const names = Array.from({ length: idle }, (_, index) => `idle-${index}`);
  for (const name of names) {
    await time("run", "-d", "-m", "64m", "--name", name, "busybox", "sleep", "1000000");
  }
  const before = await cpuTimeOf(daemon.pid);
  await setTimeout(IDLE_TIME);
  const used = (await cpuTimeOf(daemon.pid)) - before;
  const { rss, pss } = await memoryOf([daemon.pid]);
  process.stdout.write(
    `engine-idle: dvmd with ${idle} idle containers: ${rss.toFixed(0)} MiB resident, ` +
      `${pss.toFixed(0)} MiB proportional, ${((used / IDLE_TIME) * 100).toFixed(2)} % of a processor\n`,
  );
  await time("rm", "-f", ...names);
}
