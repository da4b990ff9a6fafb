/** The real system calls, over the engine's binding. */

import type { Engine } from "./engine.ts";
import { Kernel } from "./kernel.ts";
import { kernelDeviceCalls } from "./kernel-device-calls.ts";
import { kernelFileCalls } from "./kernel-file-calls.ts";
import { kernelMachineCalls } from "./kernel-machine-calls.ts";
import { kernelMountCalls } from "./kernel-mount-calls.ts";
import { kernelPrivilegeCalls } from "./kernel-privilege-calls.ts";
import { kernelProcessCalls } from "./kernel-process-calls.ts";
import type { Syscalls } from "./syscalls.ts";

/** @example const sys = kernelSyscalls(engine); sys.mkdir("/run/x", 0o755); */
export function kernelSyscalls(engine: Engine): Syscalls {
  const kernel = new Kernel(engine);
  return {
    ...kernelProcessCalls(kernel),
    ...kernelPrivilegeCalls(kernel),
    ...kernelMountCalls(kernel),
    ...kernelFileCalls(kernel),
    ...kernelDeviceCalls(kernel),
    ...kernelMachineCalls(kernel),
  };
}
