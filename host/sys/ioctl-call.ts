/** ioctl(2) with fixed-arity prototypes; the request numbers come from `ioctl.ts`. */

import { foreign } from "./libc.ts";
import { checked } from "./system-error.ts";

// Two prototypes of one variadic function: koffi calls a fixed-arity one several times faster, and on x86-64 the
// third argument travels in a register either way.
const withValue = foreign<(fd: number, request: number, value: number) => number>(
  "int ioctl(int fd, unsigned long request, unsigned long value)",
);
// The kernel touches the buffer during the call only; as an argument it cannot be collected before the return.
const withBuffer = foreign<(fd: number, request: number, buffer: Uint8Array) => number>(
  "int ioctl(int fd, unsigned long request, void *buffer)",
);

export interface IoctlCall {
  readonly fd: number;
  /** C name of the request, for errors */
  readonly name: string;
  readonly request: number;
}

/**
 * A request whose argument is a number, or none.
 *
 * @throws {SystemError} naming the request
 */
export function ioctl({ fd, name, request }: IoctlCall, value = 0): number {
  return checked(name, `on descriptor ${fd}`, withValue(fd, request, value));
}

/**
 * A request whose argument is a structure, given as its bytes.
 *
 * @throws {SystemError} naming the request
 */
export function ioctlBuffer({ fd, name, request }: IoctlCall, buffer: Uint8Array): number {
  return checked(name, `on descriptor ${fd}`, withBuffer(fd, request, buffer));
}
