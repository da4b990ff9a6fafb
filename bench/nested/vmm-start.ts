/**
 * Runs in the nested host: starts of our VMM and of QEMU's microvm in turn, with the same kernel, the same initramfs
 * and KVM, up to the agent's first byte, also in a process of the VMM that was started ahead, as the daemon's pool does;
 * and clones of a template, up to the agent's answer. Prints one line of JSON.
 *
 * usage: node bench/nested/vmm-start.ts RUNS
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connectAgent } from "../../host/agent/agent-client.ts";
import type { Hypervisor, Machine } from "../../host/vmm/hypervisor.ts";
import { KvmHypervisor } from "../../host/vmm/process/kvm-hypervisor.ts";
import { VmmProcess } from "../../host/vmm/process/vmm-process.ts";
import { QemuHypervisor } from "../../host/vmm/qemu/qemu-hypervisor.ts";
import { interleave } from "../measure/interleave.ts";
import { INITRAMFS, KERNEL } from "../paths.ts";

const runs = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(join(tmpdir(), "dvm-bench-"));
const kvm = new KvmHypervisor();
const qemu = new QemuHypervisor({ accelerator: "kvm" });
const cloning = new KvmHypervisor({ templates: join(folder, "templates") });
await cloning.saveTemplate(config());
const exits: number[] = [];
const comparison = await interleave(
  [
    { name: "QEMU microvm: exec to agent ready", once: () => timed(qemu) },
    { name: "dvm-vmm: exec to agent ready", once: () => timed(kvm) },
    {
      name: "dvm-vmm: first KVM ioctl to agent ready",
      once: async () => {
        const machine = await kvm.start(config());
        const { age, exits: count } = (await machine.statistics()) as Record<string, number>;
        await machine.kill();
        exits.push(count ?? Number.NaN);
        return age ?? Number.NaN;
      },
    },
    { name: "dvm-vmm, its process there already: begin to agent ready", once: () => ahead(true) },
    {
      name: "dvm-vmm, its process there already: first KVM ioctl to agent ready",
      once: () => ahead(false),
    },
    { name: "dvm-vmm, a clone: exec to agent's answer", once: () => timed(cloning, connectAgent) },
    {
      name: "dvm-vmm, a clone: first KVM ioctl to agent's answer",
      once: async () => {
        const machine = await cloning.start(config());
        await connectAgent(machine.agent);
        const { age } = (await machine.statistics()) as Record<string, number>;
        await machine.kill();
        return age ?? Number.NaN;
      },
    },
  ],
  runs,
);
rmSync(folder, { recursive: true });
process.stdout.write(`\nRESULT ${JSON.stringify({ ...comparison, exits })}\n`);

async function timed(
  hypervisor: Hypervisor,
  ready: (transport: Duplex) => Promise<unknown> = async () => {},
): Promise<number> {
  const start = performance.now();
  const machine: Machine = await hypervisor.start(config());
  await ready(machine.agent);
  const time = performance.now() - start;
  await machine[Symbol.asyncDispose]();
  return time;
}

/** @returns the time since the VMM heard of its machine, or since it first called KVM */
async function ahead(isWhole: boolean): Promise<number> {
  await using spare = await kvm.prepare(config());
  if (spare === undefined) throw new Error("no process was started ahead");
  const start = performance.now();
  const machine = await spare.become(config());
  const time = performance.now() - start;
  if (!(machine instanceof VmmProcess)) throw new Error("a machine of another VMM");
  const { age } = (await machine.statistics()) as Record<string, number>;
  await machine.kill();
  return isWhole ? time : (age ?? Number.NaN);
}

function config() {
  const runDirectory = mkdtempSync(join(folder, "run-"));
  return {
    id: "bench",
    kernel: KERNEL,
    initramfs: INITRAMFS,
    commandLine: ["quiet"],
    memoryMiB: 256,
    vcpus: 1,
    disks: [],
    networks: [],
    shares: [],
    runDirectory,
  };
}
