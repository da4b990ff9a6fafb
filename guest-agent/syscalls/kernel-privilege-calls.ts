/** Identity and privilege, by the kernel. */

import {
  BPF_ATTR_ATTACH,
  BPF_ATTR_LOAD,
  BPF_PROG_ATTACH,
  BPF_PROG_LOAD,
  SOCK_FPROG,
} from "../linux/bpf.ts";
import { _LINUX_CAPABILITY_VERSION_3, CAP_DATA, CAP_HEADER } from "../linux/capability.ts";
import { SECCOMP_SET_MODE_FILTER } from "../linux/seccomp.ts";
import { type Kernel, Struct } from "./kernel.ts";
import type { BpfAttachment, BpfProgram, CapabilitySets, Fd, PrivilegeCalls } from "./syscalls.ts";

/** capset(2) takes 64 capabilities in two structures. */
const HALVES = [0, 1] as const;
const BPF_INSTRUCTION_SIZE = 8;

export function kernelPrivilegeCalls(kernel: Kernel): PrivilegeCalls {
  return {
    getuid: () => kernel.call("getuid"),
    getgid: () => kernel.call("getgid"),
    setgroups: (groups) =>
      void kernel.call(
        "setgroups",
        groups.length,
        Uint32Array.from(groups.length > 0 ? groups : [0]),
      ),
    setresuid: (real, effective, saved) => void kernel.call("setresuid", real, effective, saved),
    setresgid: (real, effective, saved) => void kernel.call("setresgid", real, effective, saved),
    capset: (sets) => capset(kernel, sets),
    capget: () => capget(kernel),
    seccomp: (flags, program) => seccomp(kernel, flags, program),
    bpf_prog_load: (program) => bpfLoad(kernel, program),
    bpf_prog_attach: (attachment) => bpfAttach(kernel, attachment),
  };
}

function capabilityHeader(): Uint8Array {
  return new Struct(CAP_HEADER).set("version", _LINUX_CAPABILITY_VERSION_3).bytes;
}

function capset(kernel: Kernel, sets: CapabilitySets): void {
  const data = new Struct(CAP_DATA, HALVES.length);
  for (const half of HALVES) {
    const base = half * CAP_DATA.size;
    const shift = BigInt(half * 32);
    for (const set of ["effective", "permitted", "inheritable"] as const) {
      data.set(set, BigInt.asUintN(32, sets[set] >> shift), base);
    }
  }
  kernel.call("capset", capabilityHeader(), data.bytes);
}

function capget(kernel: Kernel): CapabilitySets {
  const data = new Struct(CAP_DATA, HALVES.length);
  kernel.call("capget", capabilityHeader(), data.bytes);
  const whole = (set: "effective" | "permitted" | "inheritable") =>
    BigInt(data.get(set)) | (BigInt(data.get(set, CAP_DATA.size)) << 32n);
  return {
    effective: whole("effective"),
    permitted: whole("permitted"),
    inheritable: whole("inheritable"),
  };
}

function seccomp(kernel: Kernel, flags: number, program: Uint8Array): void {
  const fprog = new Struct(SOCK_FPROG)
    .set("len", program.length / BPF_INSTRUCTION_SIZE)
    .set("filter", kernel.address(program));
  kernel.call("seccomp", SECCOMP_SET_MODE_FILTER, flags, fprog.bytes);
}

function bpfLoad(kernel: Kernel, { type, attachType, instructions }: BpfProgram): Fd {
  // Only the kernel's GPL helpers ask for another licence, and they are not called.
  const license = kernel.encode("Apache-2.0\0");
  const attributes = new Struct(BPF_ATTR_LOAD)
    .set("prog_type", type)
    .set("insn_cnt", instructions.length / BPF_INSTRUCTION_SIZE)
    .set("insns", kernel.address(instructions))
    .set("license", kernel.address(license))
    .set("expected_attach_type", attachType);
  return kernel.call("bpf", BPF_PROG_LOAD, attributes.bytes, attributes.bytes.length);
}

function bpfAttach(kernel: Kernel, { program, target, attachType, flags }: BpfAttachment): void {
  const attributes = new Struct(BPF_ATTR_ATTACH)
    .set("target_fd", target)
    .set("attach_bpf_fd", program)
    .set("attach_type", attachType)
    .set("attach_flags", flags);
  kernel.call("bpf", BPF_PROG_ATTACH, attributes.bytes, attributes.bytes.length);
}
