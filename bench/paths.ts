/** Where the benches find what they measure. */

import { join } from "node:path";

export const PROJECT = join(import.meta.dirname, "..");
export const DVM = join(PROJECT, "bin/dvm");
export const KERNEL = join(PROJECT, "build/kernel/vmlinux");
export const INITRAMFS = join(PROJECT, "build/agent/initramfs.cpio");
export const AGENT = join(PROJECT, "build/agent/agent");
export const IMAGES = join(PROJECT, "build/images");
export const RESULTS = join(PROJECT, "bench/results");
export const SYSTEM_MAP = join(PROJECT, "build/kernel/System.map");
export const SPECIFICATION = join(PROJECT, "SPECIFICATION.md");
export const KERNEL_MANIFEST = join(PROJECT, "build/kernel/manifest.json");
