/**
 * The kernel's log of packets, one of its 65,536 groups, as netlink tells it (linux/netfilter/nfnetlink_log.h): what a
 * rule of nftables with `log group` writes.
 */

import { Buffer } from "node:buffer";
import { FileDescriptor } from "./file-descriptor.ts";
import { foreign } from "./libc.ts";
import { checked, SystemError } from "./system-error.ts";

// The kernel reads or fills each buffer during the call and keeps none of them.
const socket = foreign<(domain: number, type: number, protocol: number) => number>(
  "int socket(int domain, int type, int protocol)",
);
const bind = foreign<(fd: number, address: Uint8Array, length: number) => number>(
  "int bind(int fd, const void *address, unsigned int length)",
);
const send = foreign<(fd: number, bytes: Uint8Array, length: number, flags: number) => number>(
  "long send(int fd, const void *bytes, size_t length, int flags)",
);
const recv = foreign<(fd: number, bytes: Uint8Array, length: number, flags: number) => number>(
  "long recv(int fd, void *bytes, size_t length, int flags)",
);

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC_NONBLOCK = 0o2004003;
const NETLINK_NETFILTER = 12;

const NLMSGHDR_SIZE = 16;
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
/** struct nfgenmsg: family, version, and the group as the resource, big-endian */
const NFGENMSG_SIZE = 4;
const NFNL_SUBSYS_ULOG = 4;
const NFULNL_MSG_PACKET = 0;
const NFULNL_MSG_CONFIG = 1;
const NFULA_CFG_CMD = 1;
const NFULA_CFG_MODE = 2;
const NFULNL_CFG_CMD_BIND = 1;
const NFULNL_COPY_PACKET = 2;
const NFULA_PACKET_HDR = 1;
const NFULA_PAYLOAD = 9;
const NFULA_PREFIX = 10;
/** the bits of an attribute's type that are flags (linux/netlink.h NLA_TYPE_MASK) */
const NLA_TYPE_MASK = 0x3fff;
/** most of a packet that is wanted, in `bytes` */
const COPY_RANGE = 128;
/** longest message there is: the kernel gathers packets up to a page or two, in `bytes` */
const MESSAGE_LIMIT = 64 * 1024;

export interface LoggedPacket {
  /** what the rule calls it */
  readonly prefix: string;
  /** ETH_P_IP and so on */
  readonly protocol: number;
  /** the packet from its network header on, cut short */
  readonly payload: Uint8Array;
}

export class PacketLog implements Disposable {
  readonly #socket: FileDescriptor;

  private constructor(socket: FileDescriptor) {
    this.#socket = socket;
  }

  /** Listens to a group of this network namespace. @throws {SystemError} EBUSY or EPERM among others */
  static open(group: number): PacketLog {
    const fd = checked(
      "socket",
      "netlink",
      socket(AF_NETLINK, SOCK_RAW_CLOEXEC_NONBLOCK, NETLINK_NETFILTER),
    );
    const opened = new PacketLog(new FileDescriptor(fd));
    try {
      // struct sockaddr_nl: the kernel picks the port
      const address = Buffer.alloc(12);
      address.writeUInt16LE(AF_NETLINK);
      checked("bind", "netlink", bind(fd, address, address.length));
      opened.#configure(group, NFULA_CFG_CMD, Buffer.of(NFULNL_CFG_CMD_BIND));
      const mode = Buffer.alloc(6);
      mode.writeUInt32BE(COPY_RANGE);
      mode[4] = NFULNL_COPY_PACKET;
      opened.#configure(group, NFULA_CFG_MODE, mode);
      return opened;
    } catch (error) {
      opened[Symbol.dispose]();
      throw error;
    }
  }

  /** What has come since; it does not wait. What the kernel had no room for is lost. */
  read(): LoggedPacket[] {
    const packets: LoggedPacket[] = [];
    const buffer = Buffer.alloc(MESSAGE_LIMIT);
    for (;;) {
      const length = recv(this.#socket.number, buffer, buffer.length, 0);
      // EAGAIN: no more; ENOBUFS: some were lost, and the rest comes next time
      if (length <= 0) return packets;
      packets.push(...parseMessages(buffer.subarray(0, length)));
    }
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  #configure(group: number, type: number, value: Uint8Array): void {
    const { number: fd } = this.#socket;
    const message = configMessage(group, type, value);
    checked("send", "netlink", send(fd, message, message.length, 0));
    // the kernel has answered once send returns
    const answer = Buffer.alloc(4096);
    const length = checked("recv", "netlink", recv(fd, answer, answer.length, 0));
    const isAnswer = length >= NLMSGHDR_SIZE + 4 && answer.readUInt16LE(4) === NLMSG_ERROR;
    const errno = isAnswer ? -answer.readInt32LE(NLMSGHDR_SIZE) : 0;
    if (errno !== 0) throw new SystemError("nfnetlink_log", `group ${group}`, errno);
  }
}

/** Every message of a datagram that is a packet; a pure function. */
export function parseMessages(bytes: Buffer): LoggedPacket[] {
  const packets: LoggedPacket[] = [];
  let at = 0;
  while (at + NLMSGHDR_SIZE <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    if (length < NLMSGHDR_SIZE || at + length > bytes.length) break;
    if (bytes.readUInt16LE(at + 4) === ((NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_PACKET)) {
      packets.push(parsePacket(bytes.subarray(at + NLMSGHDR_SIZE + NFGENMSG_SIZE, at + length)));
    }
    at += align(length);
  }
  return packets;
}

function parsePacket(attributes: Buffer): LoggedPacket {
  let packet: LoggedPacket = { prefix: "", protocol: 0, payload: new Uint8Array() };
  let at = 0;
  while (at + 4 <= attributes.length) {
    const length = attributes.readUInt16LE(at);
    if (length < 4 || at + length > attributes.length) break;
    const value = attributes.subarray(at + 4, at + length);
    switch (attributes.readUInt16LE(at + 2) & NLA_TYPE_MASK) {
      case NFULA_PACKET_HDR:
        packet = { ...packet, protocol: value.length >= 2 ? value.readUInt16BE(0) : 0 };
        break;
      case NFULA_PREFIX:
        packet = { ...packet, prefix: value.toString("latin1").replace(/\0.*$/s, "") };
        break;
      case NFULA_PAYLOAD:
        packet = { ...packet, payload: Uint8Array.from(value) };
    }
    at += align(length);
  }
  return packet;
}

function configMessage(group: number, type: number, value: Uint8Array): Buffer {
  const attribute = 4 + value.length;
  const message = Buffer.alloc(NLMSGHDR_SIZE + NFGENMSG_SIZE + align(attribute));
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE((NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG, 4);
  message.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK, 6);
  message.writeUInt16BE(group, NLMSGHDR_SIZE + 2);
  message.writeUInt16LE(attribute, NLMSGHDR_SIZE + NFGENMSG_SIZE);
  message.writeUInt16LE(type, NLMSGHDR_SIZE + NFGENMSG_SIZE + 2);
  message.set(value, NLMSGHDR_SIZE + NFGENMSG_SIZE + 4);
  return message;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
