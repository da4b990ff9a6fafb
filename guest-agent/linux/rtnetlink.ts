/** Messages that configure network devices (include/uapi/linux: netlink.h, rtnetlink.h, if_link.h, if_addr.h, neighbour.h). */

import type { StructLayout } from "./layout.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const NLMSG_ERROR = 2;
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINK = 5;
export const IFLA_LINKINFO = 18;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
export const IFLA_MACVLAN_MODE = 1;
export const MACVLAN_MODE_PRIVATE = 1;
export const IFA_ADDRESS = 1;
export const IFA_LOCAL = 2;
export const IFA_F_NODAD = 0x02;
export const NDA_DST = 1;
export const NTF_USE = 0x01;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
export const RT_TABLE_MAIN = 254;
export const RTPROT_BOOT = 3;
export const RTN_UNICAST = 1;
export const RTNH_F_ONLINK = 4;

/** Header of every message. */
export const NLMSGHDR = {
  name: "struct nlmsghdr",
  headers: ["linux/netlink.h"],
  size: 16,
  fields: {
    nlmsg_len: { offset: 0, size: 4 },
    nlmsg_type: { offset: 4, size: 2 },
    nlmsg_flags: { offset: 6, size: 2 },
    nlmsg_seq: { offset: 8, size: 4 },
    nlmsg_pid: { offset: 12, size: 4 },
  },
} as const satisfies StructLayout;

/** After the header of RTM_NEWLINK. */
export const IFINFOMSG = {
  name: "struct ifinfomsg",
  headers: ["linux/rtnetlink.h"],
  size: 16,
  fields: {
    ifi_index: { offset: 4, size: 4 },
    ifi_flags: { offset: 8, size: 4 },
    ifi_change: { offset: 12, size: 4 },
  },
} as const satisfies StructLayout;

/** After the header of RTM_NEWADDR. */
export const IFADDRMSG = {
  name: "struct ifaddrmsg",
  headers: ["linux/if_addr.h"],
  size: 8,
  fields: {
    ifa_family: { offset: 0, size: 1 },
    ifa_prefixlen: { offset: 1, size: 1 },
    ifa_flags: { offset: 2, size: 1 },
    ifa_scope: { offset: 3, size: 1 },
    ifa_index: { offset: 4, size: 4 },
  },
} as const satisfies StructLayout;

/** After the header of RTM_NEWROUTE. */
export const RTMSG = {
  name: "struct rtmsg",
  headers: ["linux/rtnetlink.h"],
  size: 12,
  fields: {
    rtm_family: { offset: 0, size: 1 },
    rtm_dst_len: { offset: 1, size: 1 },
    rtm_table: { offset: 4, size: 1 },
    rtm_protocol: { offset: 5, size: 1 },
    rtm_scope: { offset: 6, size: 1 },
    rtm_type: { offset: 7, size: 1 },
    rtm_flags: { offset: 8, size: 4 },
  },
} as const satisfies StructLayout;

/** After the header of RTM_NEWNEIGH. */
export const NDMSG = {
  name: "struct ndmsg",
  headers: ["linux/neighbour.h"],
  size: 12,
  fields: {
    ndm_family: { offset: 0, size: 1 },
    ndm_ifindex: { offset: 4, size: 4 },
    ndm_state: { offset: 8, size: 2 },
    ndm_flags: { offset: 10, size: 1 },
    ndm_type: { offset: 11, size: 1 },
  },
} as const satisfies StructLayout;
