/** Codes of BPF instructions, and the programs of control groups (include/uapi/linux/bpf.h, linux/bpf_common.h). */

import type { StructLayout } from "./layout.ts";

export const BPF_LD = 0x0;
export const BPF_LDX = 0x1;
export const BPF_ALU = 0x4;
export const BPF_JMP = 0x5;
export const BPF_RET = 0x6;
export const BPF_ALU64 = 0x7;
export const BPF_W = 0x0;
export const BPF_H = 0x8;
export const BPF_ABS = 0x20;
export const BPF_MEM = 0x60;
export const BPF_AND = 0x50;
export const BPF_MOV = 0xb0;
export const BPF_JA = 0x0;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_JNE = 0x50;
export const BPF_EXIT = 0x90;
export const BPF_K = 0x0;
export const BPF_X = 0x8;
export const BPF_MAXINSNS = 0x1000;

/** A classic BPF program: number of instructions and where they are. */
export const SOCK_FPROG = {
  name: "struct sock_fprog",
  headers: ["linux/filter.h"],
  size: 16,
  fields: {
    len: { offset: 0, size: 2 },
    filter: { offset: 8, size: 8 },
  },
} as const satisfies StructLayout;

/** One classic BPF instruction. */
export const SOCK_FILTER = {
  name: "struct sock_filter",
  headers: ["linux/filter.h"],
  size: 8,
  fields: {
    code: { offset: 0, size: 2 },
    jt: { offset: 2, size: 1 },
    jf: { offset: 3, size: 1 },
    k: { offset: 4, size: 4 },
  },
} as const satisfies StructLayout;

/** Commands of bpf(2) */
export const BPF_PROG_LOAD = 5;
export const BPF_PROG_ATTACH = 8;

export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_DEVICE = 6;
export const BPF_F_ALLOW_MULTI = 2;

/** Upper half of `access_type` in `BPF_CGROUP_DEV_CTX`. */
export const BPF_DEVCG_ACC_MKNOD = 1;
export const BPF_DEVCG_ACC_READ = 2;
export const BPF_DEVCG_ACC_WRITE = 4;
/** Lower half of it. */
export const BPF_DEVCG_DEV_BLOCK = 1;
export const BPF_DEVCG_DEV_CHAR = 2;

/** Argument of BPF_PROG_LOAD; every kernel adds to its end, and takes one that is shorter. */
export const BPF_ATTR_LOAD = {
  name: "union bpf_attr",
  headers: ["linux/bpf.h"],
  size: 72,
  fields: {
    prog_type: { offset: 0, size: 4 },
    insn_cnt: { offset: 4, size: 4 },
    insns: { offset: 8, size: 8 },
    license: { offset: 16, size: 8 },
    expected_attach_type: { offset: 68, size: 4 },
  },
} as const satisfies StructLayout;

/** Argument of BPF_PROG_ATTACH. */
export const BPF_ATTR_ATTACH = {
  name: "union bpf_attr",
  headers: ["linux/bpf.h"],
  size: 20,
  fields: {
    target_fd: { offset: 0, size: 4 },
    attach_bpf_fd: { offset: 4, size: 4 },
    attach_type: { offset: 8, size: 4 },
    attach_flags: { offset: 12, size: 4 },
  },
} as const satisfies StructLayout;

/** One instruction; the byte between `code` and `off` names the registers, the target in its lower half. */
export const BPF_INSN = {
  name: "struct bpf_insn",
  headers: ["linux/bpf.h"],
  size: 8,
  fields: {
    code: { offset: 0, size: 1 },
    off: { offset: 2, size: 2 },
    imm: { offset: 4, size: 4 },
  },
} as const satisfies StructLayout;

/** What a device program is given. */
export const BPF_CGROUP_DEV_CTX = {
  name: "struct bpf_cgroup_dev_ctx",
  headers: ["linux/bpf.h"],
  size: 12,
  fields: {
    access_type: { offset: 0, size: 4 },
    major: { offset: 4, size: 4 },
    minor: { offset: 8, size: 4 },
  },
} as const satisfies StructLayout;
