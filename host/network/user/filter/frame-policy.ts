/**
 * An egress policy held against single Ethernet frames, for the mode where packets leave as sockets of a user's: what
 * nftables does for bridges, without any privilege. It sees the questions to the name server and the answers, too.
 */

import { answeredAddresses } from "../../dns/dns-answer.ts";
import { buildAnswer, type DnsQuestion, NXDOMAIN, parseQuestion } from "../../dns/dns-message.ts";
import { GUARDED, isGuarded, isPublic, isWithin } from "../../egress/address-classes.ts";
import { BoundedMap } from "../../egress/bounded-map.ts";
import type { Denial } from "../../egress/denials.ts";
import type { EgressPolicy } from "../../egress/egress-policy.ts";
import { admitsName, sortAddresses } from "../../egress/name-policy.ts";
import { formatIpv4 } from "../../ipv4.ts";
import { type Ipv4Packet, parseFrame, prohibition, udpAnswer } from "./ipv4-frame.ts";

export interface FramePolicyOptions {
  readonly policy: EgressPolicy;
  /** the guest's own address, and its name server's */
  readonly address: string;
  readonly nameServer: string;
  /** whether an address is one of the host's own */
  readonly isHosts: (address: string) => boolean;
  readonly onDenial: (denial: Omit<Denial, "container">) => void;
  /** `milliseconds`; absent: a clock that is never set */
  readonly now?: () => number;
}

/** What becomes of a frame of the guest's: `pass`, nothing, or an answer in place of who was meant. */
export type Verdict = "pass" | "drop" | Uint8Array;

/** How long somebody who has sent something may be answered, in `milliseconds`. */
const FLOW_TIMEOUT = 600_000;
const QUESTION_TIMEOUT = 30_000;
const MAX_FLOWS = 65_536;
const MAX_PINS = 4096;
const MAX_QUESTIONS = 512;
const DNS_PORT = 53;
/** Answers to what is refused: this many at once, and a second. */
const MAX_REFUSALS = 50;
const PROTOCOLS: Readonly<Record<number, "icmp" | "tcp" | "udp">> = {
  1: "icmp",
  6: "tcp",
  17: "udp",
};
const ECHO_REQUEST = 8;

export class FramePolicy {
  readonly #options: FramePolicyOptions;
  readonly #now: () => number;
  /** who has sent something to the guest, until when it may be answered */
  readonly #flows = new BoundedMap<string, number>(MAX_FLOWS);
  /** addresses, and addresses with ports, until when they may be reached */
  readonly #pins = new BoundedMap<string, number>(MAX_PINS);
  readonly #questions = new BoundedMap<
    string,
    { readonly question: DnsQuestion; readonly at: number }
  >(MAX_QUESTIONS);
  #refusals = { left: MAX_REFUSALS, at: 0 };

  constructor(options: FramePolicyOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** @param frame from the guest */
  outgoing(frame: Uint8Array): Verdict {
    const parsed = parseFrame(frame);
    if (parsed === "arp") return "pass";
    const { address, nameServer } = this.#options;
    // this network has no IPv6, and passt takes no fragments
    if (parsed === undefined || parsed.isFragment) return "drop";
    if (formatIpv4(parsed.source) !== address) return "drop";
    const destination = formatIpv4(parsed.destination);
    const protocol = PROTOCOLS[parsed.protocol];
    if (protocol === "udp" && destination === nameServer && parsed.destinationPort === DNS_PORT) {
      return this.#ask(frame, parsed);
    }
    if (this.#lives(this.#flows, flowKey(parsed, true))) return "pass";
    if (protocol !== undefined && this.#mayReach(destination, protocol, parsed)) return "pass";
    return this.#refuse(frame, parsed, {
      destination,
      protocol: protocol ?? `${parsed.protocol}`,
      ...(protocol === "tcp" || protocol === "udp" ? { port: parsed.destinationPort } : {}),
    });
  }

  /** @param frame to the guest */
  incoming(frame: Uint8Array): void {
    const parsed = parseFrame(frame);
    if (parsed === "arp" || parsed === undefined || parsed.isFragment) return;
    const protocol = PROTOCOLS[parsed.protocol];
    if (protocol !== "tcp" && protocol !== "udp") return;
    const isAnswer =
      protocol === "udp" &&
      parsed.sourcePort === DNS_PORT &&
      formatIpv4(parsed.source) === this.#options.nameServer;
    if (isAnswer) this.#learn(parsed);
    else this.#flows.set(flowKey(parsed, false), this.#now() + FLOW_TIMEOUT);
  }

  #mayReach(address: string, protocol: "icmp" | "tcp" | "udp", packet: Ipv4Packet): boolean {
    const { policy, isHosts } = this.#options;
    const ranges = policy.ranges.filter(
      ({ family, range }) => family === 4 && isWithin(address, range),
    );
    if (protocol === "icmp") {
      // an error or an answer of the guest's is for those who have sent something, and nobody pings it
      if (packet.payload[0] !== ECHO_REQUEST) return false;
    } else {
      const port = packet.destinationPort;
      if (ranges.some((range) => range.port === port)) return true;
      if (this.#lives(this.#pins, `${address} ${port}`)) return !isHosts(address);
      // names are asked of the network's own server, which knows the policy
      if (port === DNS_PORT) return false;
    }
    const whole = ranges.filter(({ port }) => port === undefined);
    if (GUARDED[4].some((range) => isWithin(address, range))) {
      return whole.some(({ range }) => isGuarded(range));
    }
    if (whole.length > 0) return true;
    // neither names nor "public" stand for the host, whose own ports are open to itself
    if (isHosts(address)) return false;
    return this.#lives(this.#pins, address) || (policy.public && isPublic(address));
  }

  #ask(frame: Uint8Array, packet: Ipv4Packet): Verdict {
    const question = parseQuestion(packet.payload);
    if (question === undefined) return "drop";
    const { policy, onDenial } = this.#options;
    if (!admitsName(policy, question.name)) {
      onDenial({ destination: question.name, protocol: "dns" });
      return udpAnswer(frame, packet, buildAnswer(question, NXDOMAIN));
    }
    this.#questions.set(questionKey(question.id, packet.sourcePort), { question, at: this.#now() });
    return "pass";
  }

  #learn({ payload, destinationPort }: Ipv4Packet): void {
    if (payload.length < 2) return;
    const key = questionKey(((payload[0] ?? 0) << 8) | (payload[1] ?? 0), destinationPort);
    const asked = this.#questions.get(key);
    if (asked === undefined || this.#now() - asked.at > QUESTION_TIMEOUT) return;
    const { policy, onDenial } = this.#options;
    const { name } = asked.question;
    const addresses = answeredAddresses(payload) ?? [];
    const { pins, refused } = sortAddresses(policy, { name, addresses, isOwn: false });
    for (const { address, port, lifetime } of pins) {
      const pin = port === undefined ? address : `${address} ${port}`;
      const until = this.#now() + lifetime * 1000;
      this.#pins.set(pin, Math.max(until, this.#pins.get(pin) ?? 0));
    }
    for (const destination of refused) {
      const reason = `the name ${name} has an address that is not public`;
      onDenial({ destination, protocol: "dns", reason });
    }
  }

  #lives(map: BoundedMap<string, number>, key: string): boolean {
    return (map.get(key) ?? 0) > this.#now();
  }

  /** Aloud, for a guest that waits for an answer, as often as there is any use in it. */
  #refuse(frame: Uint8Array, packet: Ipv4Packet, denial: Omit<Denial, "container">): Verdict {
    this.#options.onDenial(denial);
    const now = this.#now();
    if (now - this.#refusals.at > 1000) this.#refusals = { left: MAX_REFUSALS, at: now };
    if (this.#refusals.left === 0) return "drop";
    this.#refusals.left--;
    return prohibition(frame, packet);
  }
}

function flowKey(
  { protocol, source, destination, sourcePort, destinationPort }: Ipv4Packet,
  isOut: boolean,
): string {
  return isOut
    ? `${protocol} ${destination} ${destinationPort} ${sourcePort}`
    : `${protocol} ${source} ${sourcePort} ${destinationPort}`;
}

function questionKey(id: number, port: number): string {
  return `${id} ${port}`;
}
