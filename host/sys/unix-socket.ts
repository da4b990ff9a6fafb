/** Stream sockets of the unix domain as plain descriptors, for a process that is to inherit them. */

import { Buffer } from "node:buffer";
import { FileDescriptor } from "./file-descriptor.ts";
import { foreign } from "./libc.ts";
import { checked } from "./system-error.ts";

const socket = foreign<(domain: number, type: number, protocol: number) => number>(
  "int socket(int domain, int type, int protocol)",
);
// The address is copied by the kernel during the call.
const bind = foreign<(fd: number, address: Uint8Array, length: number) => number>(
  "int bind(int fd, const void *address, unsigned int length)",
);
const connect = foreign<(fd: number, address: Uint8Array, length: number) => number>(
  "int connect(int fd, const void *address, unsigned int length)",
);
const listen = foreign<(fd: number, backlog: number) => number>("int listen(int fd, int backlog)");

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const SOCK_STREAM_CLOEXEC_NONBLOCK = 0o2004001;
/** `sun_path` of struct sockaddr_un (linux/un.h), with its NUL, in `bytes` */
const PATH_LIMIT = 108;

/**
 * A socket that listens at `path`, which must not exist; non-blocking unless a program that waits is to have it.
 *
 * @throws {SystemError} naming the path
 */
export function listenUnix(
  path: string,
  { blocking = false }: { readonly blocking?: boolean } = {},
): FileDescriptor {
  const type = blocking ? SOCK_STREAM_CLOEXEC : SOCK_STREAM_CLOEXEC_NONBLOCK;
  return open(path, type, (fd, address) => {
    checked("bind", path, bind(fd, address, address.length));
    checked("listen", path, listen(fd, 1));
  });
}

/**
 * A non-blocking socket connected to `path`.
 *
 * @throws {SystemError} naming the path
 */
export function connectUnix(path: string): FileDescriptor {
  return open(path, SOCK_STREAM_CLOEXEC_NONBLOCK, (fd, address) => {
    checked("connect", path, connect(fd, address, address.length));
  });
}

function open(
  path: string,
  type: number,
  use: (fd: number, address: Uint8Array) => void,
): FileDescriptor {
  const name = Buffer.from(`${path}\0`);
  if (name.length > PATH_LIMIT) {
    throw new RangeError(
      `socket path of ${name.length - 1} bytes, at most ${PATH_LIMIT - 1}: ${path}`,
    );
  }
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), name]); // struct sockaddr_un, linux/un.h
  const fd = checked("socket", path, socket(AF_UNIX, type, 0));
  const descriptor = new FileDescriptor(fd);
  try {
    use(fd, address);
  } catch (error) {
    descriptor[Symbol.dispose]();
    throw error;
  }
  return descriptor;
}
