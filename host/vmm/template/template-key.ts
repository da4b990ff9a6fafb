/** What a template was made from: a machine may be cloned from one only when all of it is the same. */

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { Accelerator } from "../hypervisor.ts";

/** Raised when templates are made or read in another way. */
const FORMAT = 1;

export interface TemplateSubject {
  /** the VMM's arguments for the template's machine: its shape, without what every machine has of its own */
  readonly args: readonly string[];
  /** files that the machine is made from: VMM, kernel, initramfs */
  readonly files: readonly string[];
  readonly accelerator: Accelerator;
}

export interface TemplateKey {
  /** names the template */
  readonly key: string;
  /** names the machine's shape, whatever it is made from: of the templates of one shape only the newest is of use */
  readonly shape: string;
}

/**
 * A file is the same while its inode and the time of the inode's last change are: no program can set that time.
 * The host's boot is part of it, for memory that was saved before a crash may not have reached the disk, and clocks
 * count from the boot.
 *
 * @throws NodeJS.ErrnoException for a file that is not there
 */
export async function templateKey(subject: TemplateSubject): Promise<TemplateKey> {
  const [boot, processor, ...files] = await Promise.all([
    readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    subject.accelerator === "kvm" ? readFile("/proc/cpuinfo", "utf8") : "",
    ...subject.files.map(fileIdentity),
  ]);
  const shape = hash([subject.args]);
  return { shape, key: hash([FORMAT, shape, boot.trim(), processorIdentity(processor), files]) };
}

/** Model, microcode and features of the first processor, of which a guest on KVM has seen most. */
export function processorIdentity(cpuinfo: string): readonly string[] {
  const [first = ""] = cpuinfo.split("\n\n", 1);
  const wanted = /^(vendor_id|cpu family|model|model name|stepping|microcode|flags)\s*:/;
  return first.split("\n").filter((line) => wanted.test(line));
}

async function fileIdentity(path: string): Promise<readonly string[]> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return [path, ...[dev, ino, size, mtimeNs, ctimeNs].map(String)];
}

function hash(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}
