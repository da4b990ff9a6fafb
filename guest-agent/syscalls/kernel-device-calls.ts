/** Terminals and devices, by the kernel. */

import { AT_FDCWD, O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR } from "../linux/fcntl.ts";
import { TIOCGPTN, TIOCSPTLCK, TIOCSWINSZ, WINSIZE } from "../linux/tty.ts";
import { type Kernel, Struct } from "./kernel.ts";
import type { DeviceCalls } from "./syscalls.ts";

export function kernelDeviceCalls(kernel: Kernel): DeviceCalls {
  return {
    ioctl: (fd, request, argument) => kernel.call("ioctl", fd, request, argument),
    ioctlBuffer: (fd, request, buffer) => kernel.call("ioctl", fd, request, buffer),
    openPty: (ptmx) => {
      const flags = O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK;
      const master = kernel.about(ptmx, "openat", AT_FDCWD, ptmx, flags, 0);
      const unlocked = new Int32Array(1);
      kernel.about(ptmx, "ioctl", master, TIOCSPTLCK, unlocked);
      const number = new Uint32Array(1);
      kernel.about(ptmx, "ioctl", master, TIOCGPTN, number);
      return { master, number: number[0] ?? 0 };
    },
    setWindowSize: (fd, { rows, columns }) => {
      const size = new Struct(WINSIZE).set("ws_row", rows).set("ws_col", columns);
      kernel.call("ioctl", fd, TIOCSWINSZ, size.bytes);
    },
  };
}
