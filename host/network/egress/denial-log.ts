/** Turns what the kernel logs of refused packets into denials, for as long as somebody holds it. */

import { createHash } from "node:crypto";
import { type LoggedPacket, PacketLog } from "../../sys/nflog.ts";
import { SystemError } from "../../sys/system-error.ts";
import { formatIpv4 } from "../ipv4.ts";
import { formatIpv6 } from "../ipv6.ts";
import { type Denial, denials } from "./denials.ts";

/** Between two looks, in `milliseconds`: the kernel keeps what comes meanwhile. */
const LOOK_EVERY = 500;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const PROTOCOLS: Readonly<Record<number, string>> = {
  1: "icmp",
  6: "tcp",
  17: "udp",
  58: "icmpv6",
};
const WITH_PORTS: readonly number[] = [6, 17];
/** Groups that dvm uses are from here to the last. */
const FIRST_GROUP = 0x6400;
const GROUPS = 0x10000 - FIRST_GROUP;

const logs = new Map<
  number,
  { users: number; log: PacketLog | undefined; timer: NodeJS.Timeout }
>();

/** The log's group of the containers whose run directories are in one folder: those of one daemon. */
export function logGroup(runRoot: string): number {
  const digest = createHash("sha256").update(runRoot).digest();
  return FIRST_GROUP + (digest.readUInt32BE(0) % GROUPS);
}

/**
 * @param containerOf id of the container whose card has this name
 */
export function holdDenialLog(
  group: number,
  containerOf: (tap: string) => string | undefined,
): Disposable {
  const entry = logs.get(group) ?? openLog(group, containerOf);
  entry.users++;
  logs.set(group, entry);
  return {
    [Symbol.dispose]: () => {
      entry.users--;
      if (entry.users > 0) return;
      logs.delete(group);
      clearInterval(entry.timer);
      entry.log?.[Symbol.dispose]();
    },
  };
}

/** A group that another process has stays its own: packets are refused all the same, and nobody is told. */
function openLog(group: number, containerOf: (tap: string) => string | undefined) {
  const open = () => {
    try {
      return PacketLog.open(group);
    } catch (error) {
      if (error instanceof SystemError) return undefined;
      throw error;
    }
  };
  const entry = {
    users: 0,
    log: open(),
    timer: setInterval(() => {
      // whoever had it may have ended
      entry.log ??= open();
      for (const packet of entry.log?.read() ?? []) {
        const container = containerOf(packet.prefix);
        const denial = container === undefined ? undefined : toDenial(container, packet);
        if (denial !== undefined) denials.report(denial);
      }
    }, LOOK_EVERY).unref(),
  };
  return entry;
}

/** @returns nothing for what is too short to be told of */
export function toDenial(
  container: string,
  { protocol, payload }: LoggedPacket,
): Denial | undefined {
  const bytes = Buffer.from(payload);
  if (protocol === ETH_P_IP && bytes.length >= 20) {
    const header = (bytes.readUInt8(0) & 0x0f) * 4;
    const destination = formatIpv4(bytes.readUInt32BE(16));
    // what is behind the header of a later fragment are no ports
    const rest = (bytes.readUInt16BE(6) & 0x1fff) === 0 ? bytes.subarray(header) : Buffer.alloc(0);
    return { container, destination, ...transport(bytes.readUInt8(9), rest) };
  }
  if (protocol === ETH_P_IPV6 && bytes.length >= 40) {
    const destination = formatIpv6((bytes.readBigUInt64BE(24) << 64n) | bytes.readBigUInt64BE(32));
    return { container, destination, ...transport(bytes.readUInt8(6), bytes.subarray(40)) };
  }
  return undefined;
}

function transport(number: number, rest: Buffer): Pick<Denial, "protocol" | "port"> {
  const protocol = PROTOCOLS[number] ?? `${number}`;
  if (!WITH_PORTS.includes(number) || rest.length < 4) return { protocol };
  return { protocol, port: rest.readUInt16BE(2) };
}
