/** Classic BPF instruction codes (include/uapi/linux/bpf_common.h). */

import type { StructLayout } from "./layout.ts";

export const BPF_LD = 0x0;
export const BPF_ALU = 0x4;
export const BPF_JMP = 0x5;
export const BPF_RET = 0x6;
export const BPF_W = 0x0;
export const BPF_ABS = 0x20;
export const BPF_AND = 0x50;
export const BPF_JA = 0x0;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_K = 0x0;
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
