/** The guest kernel's command line: the caller's words, then those that this backend's machine calls for. */

import { VmmError } from "../errors.ts";
import type { Accelerator, MachineConfig } from "../hypervisor.ts";

/**
 * Length at most, in `bytes`: COMMAND_LINE_SIZE of x86 (asm/setup.h) is 2048 with the final zero; QEMU adds some 40
 * for each virtio device, and there are at most 24 of those.
 */
const MAX_COMMAND_LINE = 2047 - 24 * 40;

export interface KernelCommandLineOptions {
  readonly config: MachineConfig;
  readonly accelerator: Accelerator;
  /** frequency of the host's time stamp counter, in `kHz`, where known */
  readonly tscKhz?: number;
}

/**
 * Joins the words.
 *
 * @throws {VmmError} VMM_CONFIG_INVALID when they are too long or one of them holds a control character
 */
export function kernelCommandLine(options: KernelCommandLineOptions): string {
  const { config, accelerator } = options;
  const words = [
    ...config.commandLine,
    ...(accelerator === "tcg" ? tcgWords(options) : []),
    ...plugWords,
    ...consoleWords,
    ...endWords,
  ];
  const line = words.join(" ");
  if (/[^\x20-\x7e]/.test(line) || line.length > MAX_COMMAND_LINE) {
    throw new VmmError(
      "VMM_CONFIG_INVALID",
      `kernel command line ${JSON.stringify(line.slice(0, 200))} of ${line.length} bytes is not at most ${MAX_COMMAND_LINE} printable ones`,
    );
  }
  return line;
}

/**
 * The virtio console comes late, after the root file system and init have been looked for, and what was printed
 * before never reaches it (the port is not listed yet when hvc_alloc replays: drivers/char/virtio_console.c, Linux
 * 6.1). Until then messages go to the serial port. A `quiet` must stand before, or the kernel prints its first
 * lines there, two device accesses a byte.
 */
const consoleWords = ["earlyprintk=serial,ttyS0,115200", "console=hvc0"];

/** A disk that is plugged in announces itself: nobody is to ask all 256 places at the boot whether there is one. */
const plugWords = ["scsi_mod.scan=manual"];

/** A panic resets the machine at once, a reset is a triple fault, and QEMU ends by it. */
const endWords = ["panic=-1", "reboot=t"];

/** TCG offers none of the shortcuts of a paravirtualized machine, so they are spelled out. */
function tcgWords({ config, tscKhz }: KernelCommandLineOptions): string[] {
  return [
    // The check waits ten ticks; it finds missing interrupts of real chipsets.
    "no_timer_check",
    // Counting the TSC against the PIT fails on a busy host, and then the guest's clock is its tick of 4 ms.
    // With its frequency given it is still watched, and a busy host makes it look unstable a second later.
    ...(tscKhz === undefined ? [] : [`tsc_early_khz=${tscKhz}`, "tsc=reliable"]),
    // One CPU: do not calibrate the local APIC's timer, which takes 200 ms of spinning; the PIT serves as well. And
    // do not patch the lock prefixes away: what is patched has to be translated again.
    ...(config.vcpus === 1 ? ["nolapic_timer", "noreplace-smp"] : []),
  ];
}
