/**
 * The primitive under a VM fork: a virtual machine over a private copy of 64 MiB of memory, up to its first exit,
 * beside what a container starts with, `unshare -muinpf true`. Runs wherever there is a KVM device.
 *
 * usage: node bench/vm-fork.ts [RUNS]
 */

import { spawnSync } from "node:child_process";
import { constants, openSync } from "node:fs";
import {
  KVM_EXIT_IO,
  kvm_regs,
  kvm_run,
  kvm_sregs,
  kvm_userspace_memory_region,
} from "../host/sys/kvm.ts";
import { vmmSystem } from "../host/sys/vmm-system.ts";
import { check, control, type KvmName } from "../host/vmm/kvm/system.ts";
import { setEntryRegs, setEntrySregs } from "../host/vmm/x86_64/registers.ts";
import { describeEnvironment } from "./environment.ts";
import { interleave } from "./measure/interleave.ts";
import { report } from "./report.ts";

const MEMORY = 64 * 1024 * 1024;
const ENTRY = 0x100000;
/** out %al, $0x10 */
const CODE = [0xe6, 0x10];

const runs = Number(process.argv[2] ?? 50);
const kvm = openSync("/dev/kvm", constants.O_RDWR);
const template = makeTemplate();
const argument = vmmSystem.map(4096);
const view = new DataView(argument.bytes);
const comparison = await interleave(
  [
    { name: "unshare -muinpf true", once: async () => timed(unshare) },
    { name: "VM over a private copy of 64 MiB, to its first exit", once: async () => timed(fork) },
  ],
  runs,
);
await report("vm-fork", { environment: await describeEnvironment(), unit: "ms", ...comparison });

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function unshare(): void {
  const { status } = spawnSync("unshare", ["-muinpf", "true"]);
  if (status !== 0) throw new Error(`unshare ended with ${status}`);
}

/** A memory file whose guest ends at once. */
function makeTemplate(): number {
  const fd = check("memfd_create", vmmSystem.memfd("template", MEMORY));
  new Uint8Array(vmmSystem.map(MEMORY, { fd, shared: true }).bytes).set(CODE, ENTRY);
  return fd;
}

function fork(): void {
  const call = (fd: number, request: KvmName, value: number): number =>
    control(vmmSystem, fd, request, value);
  const vm = call(kvm, "KVM_CREATE_VM", 0);
  const memory = vmmSystem.map(MEMORY, { fd: template, shared: false });
  const region = kvm_userspace_memory_region;
  new Uint8Array(argument.bytes).fill(0);
  view.setBigUint64(region.memory_size, BigInt(MEMORY), true);
  view.setBigUint64(region.userspace_addr, BigInt(memory.address), true);
  call(vm, "KVM_SET_USER_MEMORY_REGION", argument.address);
  const vcpu = call(vm, "KVM_CREATE_VCPU", 0);
  const size = call(kvm, "KVM_GET_VCPU_MMAP_SIZE", 0);
  const run = new DataView(vmmSystem.map(size, { fd: vcpu, shared: true }).bytes);
  call(vcpu, "KVM_GET_SREGS", argument.address);
  setEntrySregs(new DataView(argument.bytes, 0, kvm_sregs.size));
  call(vcpu, "KVM_SET_SREGS", argument.address);
  new Uint8Array(argument.bytes).fill(0);
  setEntryRegs(new DataView(argument.bytes, 0, kvm_regs.size), ENTRY);
  call(vcpu, "KVM_SET_REGS", argument.address);
  call(vcpu, "KVM_RUN", 0);
  const reason = run.getUint32(kvm_run.exit_reason, true);
  if (reason !== KVM_EXIT_IO) throw new Error(`exit ${reason}`);
  for (const fd of [vcpu, vm]) vmmSystem.close(fd);
}
