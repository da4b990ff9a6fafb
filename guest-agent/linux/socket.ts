/** Address families and socket types (include/linux/socket.h, include/linux/net.h). */

import type { StructLayout } from "./layout.ts";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 2048;
export const SOCK_CLOEXEC = 0x80000;
export const NETLINK_ROUTE = 0;
export const NETLINK_KOBJECT_UEVENT = 15;

/** Address of a netlink socket; `nl_groups` is a bit mask of multicast groups. */
export const SOCKADDR_NL = {
  name: "struct sockaddr_nl",
  headers: ["linux/netlink.h"],
  size: 12,
  fields: {
    nl_family: { offset: 0, size: 2 },
    nl_pid: { offset: 4, size: 4 },
    nl_groups: { offset: 8, size: 4 },
  },
} as const satisfies StructLayout;
