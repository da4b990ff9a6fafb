/** The small guest of `guest.c`: its build, and conversations with it over the agent's port. */

import { execFileSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MachineConfig } from "../../hypervisor.ts";
import { KvmHypervisor } from "../kvm-hypervisor.ts";
import type { VmmProcess } from "../vmm-process.ts";

/** No instruction beyond those of an i486, and no code that the compiler brings along. */
const COMPILER_FLAGS =
  "-m32 -O1 -march=i486 -mgeneral-regs-only -ffreestanding -fno-pic -no-pie -fno-stack-protector " +
  "-fcf-protection=none -fno-asynchronous-unwind-tables -nostdlib -static -Wall -Wl,--build-id=none -Wl,--no-warn-rwx-segments";

export const IMAGE_SIZE = 4 * 1024 * 1024;
export const UPPER_SIZE = 1024 * 1024;

/** A guest that is built already, for machines without a compiler. */
const BUILT = process.env.DVM_SMALL_GUEST;

/** Why no guest can be run here; undefined when one can. */
export function whyNoKvm(): string | undefined {
  try {
    closeSync(openSync("/dev/kvm", "r+"));
    return undefined;
  } catch (error) {
    return `no KVM device here: ${error instanceof Error ? error.message : error}`;
  }
}

/** A folder with the guest, its disks, and a run directory for each machine. */
export class SmallGuests implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "dvm-small-"));
  readonly image = join(this.folder, "image");
  readonly kernel = join(this.folder, "kernel");
  #count = 0;

  constructor() {
    if (BUILT === undefined) buildSmallGuest(this.kernel);
    else copyFileSync(BUILT, this.kernel);
    writeFileSync(
      this.image,
      Buffer.from(Uint8Array.from({ length: IMAGE_SIZE }, (_, at) => (at >> 9) + at)),
    );
    writeFileSync(join(this.folder, "none"), "");
  }

  config(changes: Partial<MachineConfig> = {}): MachineConfig {
    const id = `small-${this.#count++}`;
    const runDirectory = join(this.folder, id);
    mkdirSync(runDirectory, { mode: 0o700 });
    const upper = join(runDirectory, "upper");
    writeFileSync(upper, "");
    truncateSync(upper, UPPER_SIZE);
    const half = IMAGE_SIZE / 2;
    const extent = (offset: number) =>
      ({ kind: "file", path: this.image, offset, length: half }) as const;
    return {
      id,
      kernel: this.kernel,
      initramfs: join(this.folder, "none"),
      commandLine: [],
      memoryMiB: 16,
      vcpus: 1,
      disks: [
        {
          serial: "image",
          readOnly: true,
          source: { kind: "extents", extents: [extent(0), extent(half)] },
        },
        { serial: "upper", readOnly: false, source: { kind: "file", path: upper, format: "raw" } },
      ],
      networks: [],
      shares: [],
      runDirectory,
      ...changes,
    };
  }

  async start(changes: Partial<MachineConfig> = {}): Promise<Conversation> {
    const conversation = new Conversation(await new KvmHypervisor().start(this.config(changes)));
    await conversation.lines(1); // "ready"
    return conversation;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

function buildSmallGuest(path: string): void {
  const source = (name: string): string => join(import.meta.dirname, name);
  const flags = [...COMPILER_FLAGS.split(" "), "-T", source("guest.lds")];
  execFileSync("gcc", [...flags, "-o", `${path}.elf32`, source("guest.c")]);
  execFileSync("objcopy", ["-I", "elf32-i386", "-O", "elf64-x86-64", `${path}.elf32`, path]);
}

/** What is asked of a guest and what it answers. */
export class Conversation implements AsyncDisposable {
  readonly machine: VmmProcess;
  #chunks: Buffer[] = [];
  #wake = (): void => {};

  constructor(machine: VmmProcess) {
    this.machine = machine;
    machine.agent.on("data", (chunk: Buffer) => {
      this.#chunks.push(Buffer.from(chunk)); // the machine's own, valid during the call
      this.#wake();
    });
    machine.agent.on("close", () => this.#wake());
  }

  /** Has the guest obey a letter, and reads as many lines of answer. */
  ask(letter: string, count = 1): Promise<string[]> {
    this.machine.agent.write(letter);
    return this.lines(count);
  }

  async numbers(letter: string, count = 1): Promise<number[]> {
    return (await this.ask(letter, count)).map(Number);
  }

  async lines(count: number): Promise<string[]> {
    for (;;) {
      const lines = Buffer.concat(this.#chunks).toString("latin1").split("\n");
      if (lines.length > count) {
        this.#chunks = [Buffer.from(lines.slice(count).join("\n"), "latin1")];
        return lines.slice(0, count);
      }
      await this.#more();
    }
  }

  async bytes(length: number): Promise<Buffer> {
    for (;;) {
      const all = Buffer.concat(this.#chunks);
      this.#chunks = [all];
      if (all.length >= length) {
        this.#chunks = [all.subarray(length)];
        return all.subarray(0, length);
      }
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    if (this.machine.agent.closed) throw new Error("the guest has gone");
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.machine[Symbol.asyncDispose]();
  }
}

/** The sum that the guest makes of bytes. */
export function sumOf(bytes: Iterable<number>): number {
  let sum = 0;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) >>> 0;
  return sum;
}
