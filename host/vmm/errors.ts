/** What can go wrong with a virtual machine, and what to do about it. */

import { DvmError, type ErrorDetails, type ErrorRow } from "../errors.ts";
import type { MachineStage } from "./hypervisor.ts";

const table = {
  VMM_CONFIG_INVALID: { exitCode: 125 },
  VMM_UNSUPPORTED: { exitCode: 125 },
  VMM_KERNEL_NOT_FOUND: { exitCode: 125, hint: "`npm run setup` builds the guest kernel" },
  VMM_INITRAMFS_NOT_FOUND: { exitCode: 125, hint: "`npm run setup` builds the guest's initramfs" },
  VMM_DISK_NOT_FOUND: { exitCode: 125 },
  VMM_QEMU_NOT_FOUND: {
    exitCode: 125,
    hint: "install QEMU: `apt-get install qemu-system-x86`",
  },
  VMM_SPAWN_FAILED: { exitCode: 125 },
  VMM_SHARE_FAILED: { exitCode: 125 },
  VMM_KVM_UNUSABLE: {
    exitCode: 125,
    hint: "use `--accel tcg`, or `--accel auto` to have it chosen",
  },
  VMM_QMP_FAILED: {
    exitCode: 125,
    hint: "check with `dvm doctor` that this QEMU is version 7.2 or newer",
  },
  VMM_STAGE_TIMEOUT: { exitCode: 125 },
  VMM_ENDED_EARLY: { exitCode: 125 },
  VMM_AGENT_CLOSED: {
    exitCode: 125,
    hint: "the guest agent ended at once: its initramfs may be damaged, `npm run setup` rebuilds it",
  },
  VMM_GONE: { exitCode: 125 },
  VMM_ABORTED: { exitCode: 125 },
} as const satisfies Record<string, ErrorRow>;

export type VmmErrorCode = keyof typeof table;

export interface VmmErrorDetails extends ErrorDetails {
  /** stage of the start that failed */
  readonly stage?: MachineStage;
  /** last lines of the guest's console, printable; they become part of the message */
  readonly consoleTail?: string;
}

/** A virtual machine that could not be made, started or spoken to. */
export class VmmError extends DvmError {
  override readonly name = "VmmError";
  /** stage of the start that failed; undefined when it is not about the start */
  readonly stage: MachineStage | undefined;
  /** last lines of the guest's console, printable; empty when the guest wrote none */
  readonly consoleTail: string;

  readonly #code: VmmErrorCode;
  readonly #text: string;

  constructor(code: VmmErrorCode, message: string, details: VmmErrorDetails = {}) {
    const { consoleTail = "", stage, ...rest } = details;
    super(code, message + quoted(consoleTail), { ...table[code], ...rest });
    this.stage = stage;
    this.consoleTail = consoleTail;
    this.#code = code;
    this.#text = message;
  }

  /** The same error, as that of a stage of the start. */
  inStage(stage: MachineStage, consoleTail: string): VmmError {
    const hint = this.hint === undefined ? {} : { hint: this.hint };
    const details = { stage, consoleTail, cause: this.cause, ...hint };
    return new VmmError(this.#code, `${this.#text} (stage ${stage})`, details);
  }
}

function quoted(consoleTail: string): string {
  if (consoleTail === "") return "";
  const lines = consoleTail.split("\n").map((line) => `  | ${line}`);
  return `; the guest's console ends with\n${lines.join("\n")}`;
}
