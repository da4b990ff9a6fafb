/** What the tests with real guests share: an initramfs around `test-guest.c`, and a machine to boot it. */

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MachineConfig } from "../hypervisor.ts";

const kernel = process.env.DVM_KERNEL || join(import.meta.dirname, "../../../build/kernel/vmlinux");

/** A folder of one test file: the initramfs, and a run folder for each machine. */
export class TestGuests implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "dvm-qemu-"));
  readonly #initramfs = join(this.folder, "initramfs");
  #count = 0;

  constructor() {
    const init = join(this.folder, "init");
    const source = join(import.meta.dirname, "test-guest.c");
    execFileSync("musl-gcc", ["-static", "-Os", "-w", "-o", init, source]);
    writeFileSync(this.#initramfs, cpio(readFileSync(init)));
  }

  /** A machine whose guest does `mode`, with a run folder of its own. */
  machine(mode: string, changes: Partial<MachineConfig> = {}): MachineConfig {
    const id = `test-${process.pid}-${this.#count++}`;
    const runDirectory = join(this.folder, id);
    mkdirSync(runDirectory, { mode: 0o700 });
    return {
      id,
      kernel,
      initramfs: this.#initramfs,
      commandLine: ["quiet", `t=${mode}`],
      memoryMiB: 128,
      vcpus: 1,
      disks: [],
      networks: [],
      shares: [],
      runDirectory,
      ...changes,
    };
  }

  /** An executable that stands in for QEMU. */
  script(text: string): string {
    const path = join(this.folder, `script-${this.#count++}`);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** An archive (newc, Documentation/driver-api/early-userspace/buffer-format.rst) of `/init` and `/dev/console`. */
function cpio(init: Uint8Array): Buffer {
  return Buffer.concat([
    cpioEntry("dev", 0o40755),
    cpioEntry("dev/console", 0o20600, { major: 5, minor: 1 }),
    cpioEntry("init", 0o100755, { content: init }),
    cpioEntry("TRAILER!!!", 0),
  ]);
}

interface CpioContent {
  readonly content?: Uint8Array;
  readonly major?: number;
  readonly minor?: number;
}

function cpioEntry(
  name: string,
  mode: number,
  { content = new Uint8Array(), major = 0, minor = 0 }: CpioContent = {},
): Buffer {
  const size = content.length;
  const fields = [0, mode, 0, 0, 1, 0, size, 0, 0, major, minor, name.length + 1, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return Buffer.concat([padded(Buffer.from(`${header}${name}\0`)), padded(content)]);
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
