/** What the agent says when it cannot go on. */

import { encodeText } from "../container/text.ts";
import { O_CLOEXEC, O_WRONLY } from "../linux/fcntl.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";

/** the kernel's log, which goes to whatever console there is by now (Linux kernel/printk/printk.c) */
const KERNEL_LOG = "/dev/kmsg";
/** priority that is shown even with `quiet`: KERN_CRIT of linux/kern_levels.h */
const PRIORITY = "<2>";
/** The log takes lines of up to LOG_LINE_MAX, 992 `bytes`, and no more than ten at once. */
const MAX_LINE = 800;
const MAX_LINES = 8;
const STANDARD_ERROR = 2;

/**
 * Says why on the console.
 *
 * By way of the log: the kernel opens the console for PID 1 at a time when its virtio console may not be there yet,
 * and PID 1 then has no standard streams at all.
 */
export function sayLastWords(sys: Syscalls, words: string): void {
  const lines = words.trimEnd().split("\n").slice(0, MAX_LINES);
  try {
    const log = sys.open(KERNEL_LOG, O_WRONLY | O_CLOEXEC);
    for (const line of lines) sys.write(log, encodeText(`${PRIORITY}${line.slice(0, MAX_LINE)}`));
  } catch (error) {
    if (!isSyscallError(error)) throw error;
    // Too early for the log: its device comes with devtmpfs.
    sys.write(STANDARD_ERROR, encodeText(`${lines.join("\n")}\n`));
  }
}
