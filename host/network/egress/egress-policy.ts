/** What a container may reach by itself: `deny`, `public`, or a list of hosts, addresses and ranges. */

import { isIP } from "node:net";
import { networkError } from "../errors.ts";
import { formatSubnet, parseSubnet } from "../ipv4.ts";
import { formatSubnet6, parseSubnet6 } from "../ipv6.ts";

export interface EgressPolicy {
  /** whether every address of the public Internet may be reached, and every name asked for */
  readonly public: boolean;
  readonly names: readonly EgressName[];
  readonly ranges: readonly EgressRange[];
}

/** A host by its name: the addresses that it has when it is asked for. */
export interface EgressName {
  /** lower case; `*.` before it: whatever ends so */
  readonly name: string;
  /** of TCP and UDP; absent: every port and protocol */
  readonly port?: number;
}

export interface EgressRange {
  readonly family: 4 | 6;
  /** `address/prefix` */
  readonly range: string;
  /** of TCP and UDP; absent: every port and protocol */
  readonly port?: number;
}

const NOTHING: EgressPolicy = { public: false, names: [], ranges: [] };
const ALLOW = "allow=";
/** Most entries of a list: each is a rule of the kernel's. */
const MAX_ENTRIES = 256;
const MAX_PORT = 65_535;
/** A name of a host (RFC 1123 §2.1), one label being enough for containers of the same network. */
const LABEL = "(?!-)[a-z0-9_-]{1,63}(?<!-)";
const NAME = new RegExp(`^(\\*\\.)?${LABEL}(\\.${LABEL})*$`);
const MAX_NAME = 253;

/**
 * `deny`, `public`, or `allow=ENTRY,…` with entries `HOST[:PORT]`, `*.DOMAIN[:PORT]`, `ADDRESS[:PORT]`,
 * `RANGE[:PORT]`, where IPv6 has brackets before a port, and `public`.
 *
 * @throws DvmError `NETWORK_INVALID`
 */
export function parseEgress(text: string): EgressPolicy {
  if (text === "deny") return NOTHING;
  if (text === "public") return { ...NOTHING, public: true };
  if (!text.startsWith(ALLOW)) throw invalid(`invalid egress policy: ${text.slice(0, 100)}`);
  const entries = text.slice(ALLOW.length).split(",");
  if (entries.length > MAX_ENTRIES) {
    throw invalid(`${entries.length} entries of an egress policy are more than ${MAX_ENTRIES}`);
  }
  return entries.reduce((policy, entry) => withEntry(policy, entry.trim()), NOTHING);
}

/** The entries that a name fits; several may, with a port each. */
export function entriesOf(policy: EgressPolicy, name: string): readonly EgressName[] {
  return policy.names.filter((entry) =>
    entry.name.startsWith("*.") ? name.endsWith(entry.name.slice(1)) : entry.name === name,
  );
}

function withEntry(policy: EgressPolicy, entry: string): EgressPolicy {
  if (entry === "public") return { ...policy, public: true };
  const { place, port } = splitPort(entry);
  const range = readRange(place);
  if (range !== undefined) return { ...policy, ranges: [...policy.ranges, { ...range, ...port }] };
  const name = place.toLowerCase().replace(/\.$/, "");
  // all digits and dots is an address that somebody has mistyped
  if (!NAME.test(name) || name.length > MAX_NAME || /^[\d.]+$/.test(name) || entry.includes("/")) {
    throw invalid(`invalid egress entry: ${JSON.stringify(entry.slice(0, 100))}`);
  }
  return { ...policy, names: [...policy.names, { name, ...port }] };
}

function splitPort(entry: string): { place: string; port: { port?: number } } {
  const bracketed = /^\[([^\]]*)\](\/\d+)?(?::(.*))?$/.exec(entry);
  const [, before = entry, after] = /^([^:]*):([^:]*)$/.exec(entry) ?? [];
  const place = bracketed ? `${bracketed[1]}${bracketed[2] ?? ""}` : before;
  const text = bracketed ? bracketed[3] : after;
  if (text === undefined) return { place, port: {} };
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > MAX_PORT) {
    throw invalid(`invalid port of an egress entry: ${entry.slice(0, 100)}`);
  }
  return { place, port: { port } };
}

function readRange(place: string): Omit<EgressRange, "port"> | undefined {
  const [address = ""] = place.split("/");
  const family = isIP(address);
  const whole = place.includes("/") ? place : `${place}/${family === 4 ? 32 : 128}`;
  const four = parseSubnet(whole);
  if (four !== undefined) return { family: 4, range: formatSubnet(four) };
  const six = parseSubnet6(whole);
  if (six !== undefined) return { family: 6, range: formatSubnet6(six) };
  return undefined;
}

function invalid(message: string): Error {
  return networkError("NETWORK_INVALID", message, {
    hint: "--egress deny, public, or allow=ENTRY,… with entries such as example.org:443, *.example.org, 10.1.0.0/16, [fd00::5]:80",
  });
}
