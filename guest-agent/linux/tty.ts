/** ioctl requests of terminals (include/uapi/asm-generic/ioctls.h). */

import { _IO, _IOR, _IOW } from "./ioctl.ts";
import type { StructLayout } from "./layout.ts";

export const TIOCSCTTY = 0x540e;
export const TIOCGPGRP = 0x540f;
export const TIOCSPGRP = 0x5410;
export const TIOCGWINSZ = 0x5413;
export const TIOCSWINSZ = 0x5414;
export const TIOCNOTTY = 0x5422;
export const TIOCSPTLCK = _IOW("T", 0x31, 4);
export const TIOCGPTN = _IOR("T", 0x30, 4);
export const TIOCGPTPEER = _IO("T", 0x41);
export const FIONREAD = 0x541b;

/** Size of a terminal, of TIOCSWINSZ. */
export const WINSIZE = {
  name: "struct winsize",
  headers: ["asm/termios.h"],
  size: 8,
  fields: {
    ws_row: { offset: 0, size: 2 },
    ws_col: { offset: 2, size: 2 },
    ws_xpixel: { offset: 4, size: 2 },
    ws_ypixel: { offset: 6, size: 2 },
  },
} as const satisfies StructLayout;
