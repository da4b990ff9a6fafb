/** Boot: what a machine does until its agent is ready, in measures that no other work on the host changes. */

import { mkdir, mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MachineConfig } from "../../host/vmm/hypervisor.ts";
import { KvmHypervisor } from "../../host/vmm/process/kvm-hypervisor.ts";
import { Lacking } from "../arms/arm.ts";
import { missingProgram } from "../arms/refusals.ts";
import { floorInitramfs } from "../floor/floor-initramfs.ts";
import { startBareQemu } from "../floor/qemu.ts";
import { benchLayout } from "../image/bench-layout.ts";
import { deviceAccesses, TRACE_WORDS } from "../machine/device-accesses.ts";
import { imageDisk } from "../machine/image-disk.ts";
import { buildPlugin } from "../machine/plugin.ts";
import { BOOT_MEMORY, ioBytes, tracedBoot } from "../machine/traced-boot.ts";
import { cpuTimeOf } from "../measure/processes.ts";
import { INITRAMFS, KERNEL } from "../paths.ts";
import { type Measures, type Metric, plainSession, type Scenario, type Stage } from "./scenario.ts";

const COUNTED = `QEMU's microvm with ${BOOT_MEMORY} MiB and one vCPU, -icount shift=6, a TCG plugin that counts each instruction`;

/** What a shell does with small files: forks, executions, and what the file system costs the guest. */
const FILES = 50;
const WORKLOAD = `for n in $(seq ${FILES}); do echo $n >/tmp/$n; done; ls -l /tmp | wc -l; cat /tmp/* | wc -c; rm /tmp/*`;

const metrics: readonly Metric[] = [
  {
    name: "instructions-init",
    title: "guest instructions to the first of init",
    unit: "M instructions",
    better: "lower",
    how: `${COUNTED}; the kernel alone, with an init that ends the machine at once`,
  },
  {
    name: "instructions-ready",
    title: "guest instructions until the agent is ready",
    unit: "M instructions",
    better: "lower",
    how: `${COUNTED}; to the agent's hello`,
  },
  {
    name: "instructions-container",
    title: "guest instructions of a container that runs true",
    unit: "M instructions",
    better: "lower",
    how: `${COUNTED}; a boot with a container of busybox, less one without: create, start, true, its end`,
  },
  {
    name: "instructions-workload",
    title: `guest instructions of a workload: ${FILES} files written, listed, read and removed`,
    unit: "M instructions",
    better: "lower",
    how: `${COUNTED}; a container that runs \`${WORKLOAD}\`, less one that runs \`true\``,
  },
  {
    name: "cpu",
    title: "processor time of the VMM until the agent is ready",
    unit: "ms",
    better: "lower",
    how: "user and system time of /proc/PID/stat at the agent's hello, in steps of 10 ms; not traced, not counted",
  },
  {
    name: "bytes",
    title: "bytes that the VMM has read and written until then",
    unit: "bytes",
    better: "lower",
    how: "rchar and wchar of /proc/PID/io at the agent's hello: kernel and initramfs are among them unless they are mapped",
  },
  {
    name: "syscalls",
    title: "system calls of the VMM, start to end",
    unit: "calls",
    better: "lower",
    how: "strace -f -c of a boot to the agent's hello and the machine's end",
  },
  {
    name: "syscall",
    title: "system calls of the VMM by name",
    unit: "calls",
    better: "lower",
    how: "strace -f -c of a boot to the agent's hello and the machine's end",
    items: "system call",
  },
  {
    name: "accesses",
    title: "accesses to emulated devices",
    unit: "accesses",
    better: "lower",
    how: "QEMU's trace events memory_region_ops_read and _write of a boot to the agent's hello; a virtio device is called by the type that the guest reads from it",
    items: "device",
  },
  {
    name: "exits",
    title: "exits to the VMM until the agent is ready",
    unit: "exits",
    better: "lower",
    how: "returns of KVM_RUN, counted by dvm's own VMM",
  },
  {
    name: "kvm",
    title: "what KVM counts of the vCPUs",
    unit: "events",
    better: "lower",
    how: "KVM_GET_STATS_FD at the agent's hello, cumulative counters by KVM's names",
    items: "counter",
  },
];

export const boot: Scenario = {
  name: "boot",
  title: "Boot of a machine",
  question: "How much work is a boot, whatever the speed of the host?",
  tools: [],
  rounds: 2,
  usual: false,
  arms: "dvm",
  metrics,
  async open(stage) {
    switch (stage.arm.name) {
      case "dvm-kvm":
        return plainSession(() => ownBoot(stage));
      case "dvm-qemu-tcg":
        return plainSession(await qemuBoot(stage, "tcg"));
      case "dvm-qemu-kvm":
        return plainSession(await qemuBoot(stage, "kvm"));
      default:
        throw new Lacking("it boots nothing");
    }
  },
};

async function qemuBoot(
  stage: Stage,
  accelerator: "tcg" | "kvm",
): Promise<() => Promise<Measures>> {
  const missing = await missingProgram("gcc", "strace");
  if (missing !== undefined) throw new Lacking(missing);
  const folder = await mkdtemp(join(stage.folder, "qemu-"));
  const counts = accelerator === "tcg" ? await instructionCounts(stage, folder) : async () => ({});
  return async () => {
    const plain = await tracedBoot({ accelerator });
    const traced = await tracedBoot({ accelerator, more: TRACE_WORDS });
    const log = join(folder, "strace");
    await tracedBoot({ accelerator, through: ["strace", "-f", "-c", "-o", log] });
    return {
      ...(await counts()),
      cpu: plain.cpu,
      bytes: plain.bytes,
      ...family("accesses", deviceAccesses(traced.said)),
      ...syscallMeasures(await readFile(log, "utf8")),
    };
  };
}

async function instructionCounts(stage: Stage, folder: string): Promise<() => Promise<Measures>> {
  const counter = await buildPlugin("instructions", folder);
  const floor = await floorInitramfs(folder);
  const disks = [await imageDisk(await benchLayout("busybox", stage.say), folder)];
  return async () => {
    const options = { accelerator: "tcg", memoryMiB: BOOT_MEMORY, counter } as const;
    const init = await startBareQemu({ ...options, initramfs: floor, tscKhz: 2_000_000 }).end;
    const ready = readCount((await tracedBoot({ accelerator: "tcg", counter })).said);
    const idle = readCount((await tracedBoot({ accelerator: "tcg", counter, disks })).said);
    const [nothing, work] = [["true"], ["sh", "-c", WORKLOAD]];
    const count = async (words: readonly string[]): Promise<number> =>
      readCount((await tracedBoot({ accelerator: "tcg", counter, disks, words })).said);
    const [ran, worked] = [await count(nothing), await count(work)];
    return {
      "instructions-init": readCount(init),
      "instructions-ready": ready,
      "instructions-container": ran - idle,
      "instructions-workload": worked - ran,
    };
  };
}

/** @returns millions of instructions */
function readCount(said: string): number {
  const found = /instructions: (\d+)/.exec(said)?.[1];
  if (found === undefined) throw new Error(`the plugin printed no count: ${said.slice(-400)}`);
  return Number(found) / 1e6;
}

/** The table of strace -c: its lines end with the name, and have the number of calls as the fourth word. */
export function syscallMeasures(table: string): Measures {
  const calls = new Map<string, number>();
  let all = 0;
  for (const line of table.split("\n")) {
    const words = line.trim().split(/\s+/);
    const [name = "", count] = [words.at(-1), Number(words[3])];
    if (!Number.isInteger(count) || words.length < 5) continue;
    if (name === "total") all = count;
    else calls.set(name, count);
  }
  return { syscalls: all, ...family("syscall", calls) };
}

function family(name: string, items: ReadonlyMap<string, number>): Measures {
  return Object.fromEntries([...items].map(([item, count]) => [`${name}:${item}`, count]));
}

/** Our own VMM counts its exits, and asks KVM for its counters. */
async function ownBoot({ folder, newName }: Stage): Promise<Measures> {
  const runDirectory = join(folder, newName());
  await mkdir(runDirectory);
  const config: MachineConfig = {
    id: "bench",
    kernel: KERNEL,
    initramfs: INITRAMFS,
    commandLine: ["quiet"],
    memoryMiB: BOOT_MEMORY,
    vcpus: 1,
    disks: [],
    networks: [],
    shares: [],
    runDirectory,
  };
  await using machine = await new KvmHypervisor().start(config);
  const [cpu, bytes] = await Promise.all([cpuTimeOf(machine.pid), ioBytes(machine.pid)]);
  const { exits, kvm } = readStatistics(await machine.statistics());
  return {
    cpu,
    bytes,
    exits,
    ...family("kvm", new Map(Object.entries(kvm).filter(([, count]) => count > 0))),
  };
}

function readStatistics(value: unknown): { exits: number; kvm: Readonly<Record<string, number>> } {
  if (typeof value !== "object" || value === null || !("exits" in value) || !("kvm" in value))
    throw new Error("the VMM gave no statistics");
  return { exits: Number(value.exits), kvm: { ...(value.kvm as Record<string, number>) } };
}
