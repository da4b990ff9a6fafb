/** The sockets of the machine that wait for somebody out there (proc(5), /proc/net/tcp and its kin). */

import { readTextIfAny } from "../container/file-access.ts";
import type { Listener } from "../protocol/index.ts";
import type { Syscalls } from "../syscalls/syscalls.ts";

/** States of sockets (include/net/tcp_states.h). */
const TCP_TIME_WAIT = 0x06;
const TCP_CLOSE = 0x07;
const TCP_LISTEN = 0x0a;
/** First port that the kernel gives to sockets that ask for none (net.ipv4.ip_local_port_range). */
const FIRST_EPHEMERAL = 32_768;
/** longest table that is read, in `bytes`: some 100,000 connections */
const MAX_TABLE = 16 * 1024 * 1024;
/** sockets that are told of at most */
const MAX_LISTENERS = 1024;

/**
 * A socket of UDP that is bound to a port of the kernel's choice is a client's, and none that waits.
 *
 * @param held ports whose connections are told of too
 */
export function listeners(sys: Syscalls, held: readonly number[]): Listener[] {
  const found = new Map<string, Listener>();
  const note = (listener: Listener) => {
    const key = `${listener.protocol}${listener.port}`;
    if (listener.waits || !found.has(key)) found.set(key, listener);
  };
  for (const file of ["tcp", "tcp6"]) {
    for (const { port, state, isLoopback } of readTable(sys, file)) {
      if (state === TCP_LISTEN && !isLoopback) note({ protocol: "tcp", port, waits: true });
      if (state === TCP_LISTEN || state === TCP_TIME_WAIT) continue;
      if (held.includes(port)) note({ protocol: "tcp", port, waits: false });
    }
  }
  for (const file of ["udp", "udp6"]) {
    for (const { port, state, isLoopback } of readTable(sys, file)) {
      const waits = state === TCP_CLOSE && port < FIRST_EPHEMERAL && !isLoopback;
      if (waits) note({ protocol: "udp", port, waits });
    }
  }
  return [...found.values()].slice(0, MAX_LISTENERS);
}

interface Socket {
  readonly port: number;
  readonly state: number;
  readonly isLoopback: boolean;
}

function readTable(sys: Syscalls, file: string): Socket[] {
  const text = readTextIfAny(sys, `/proc/net/${file}`, MAX_TABLE) ?? "";
  return text.split("\n").slice(1).flatMap(parseLine);
}

/** `sl local_address rem_address st …`, addresses in hexadecimal, each 32 bits of them in the machine's byte order. */
function parseLine(line: string): Socket[] {
  const [, address = "", port = "", state = ""] =
    /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /.exec(line) ?? [];
  if (address === "" || port === "0000") return [];
  const numbers = { port: Number.parseInt(port, 16), state: Number.parseInt(state, 16) };
  return [{ ...numbers, isLoopback: isLoopback(address) }];
}

/** 127.0.0.0/8, also as an IPv6 address, and ::1. */
function isLoopback(address: string): boolean {
  if (address.length === 8) return address.endsWith("7F");
  const isMapped = address.startsWith("0000000000000000FFFF0000");
  return isMapped ? address.endsWith("7F") : address === "00000000000000000000000001000000";
}
