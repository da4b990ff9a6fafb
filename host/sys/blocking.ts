/** Whether calls on a descriptor wait (fcntl(2), O_NONBLOCK): a program that inherits one may count on it. */

import { constants } from "node:fs";
import { foreign } from "./libc.ts";
import { checked } from "./system-error.ts";

// A variadic function with a fixed prototype: on x86-64 the third argument travels in a register either way.
const fcntl = foreign<(fd: number, command: number, value: number) => number>(
  "int fcntl(int fd, int command, long value)",
);

/** linux/fcntl.h */
const F_GETFL = 3;
const F_SETFL = 4;

/** Has calls on the open file wait, whoever else has it. @throws {SystemError} */
export function makeBlocking(fd: number): void {
  const flags = checked("fcntl", `descriptor ${fd}`, fcntl(fd, F_GETFL, 0));
  checked("fcntl", `descriptor ${fd}`, fcntl(fd, F_SETFL, flags & ~constants.O_NONBLOCK));
}
