/**
 * The process between a hypervisor and passt that holds a machine to its policy. It is one for each machine, outlives
 * the daemon as the machine does, and ends with the one hypervisor that it serves.
 */

import { appendFileSync, fstatSync, ftruncateSync, openSync } from "node:fs";
import { createConnection, Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { text } from "node:stream/consumers";
import { Denials } from "../../egress/denials.ts";
import { parseEgress } from "../../egress/egress-policy.ts";
import { CARD_FD, type FilterConfig } from "./filter-config.ts";
import { FramePolicy } from "./frame-policy.ts";
import { framed, pumpFrames } from "./frame-pump.ts";
import { announcement } from "./ipv4-frame.ts";
import { TokenBucket } from "./token-bucket.ts";

/** At this size the file of denials begins anew, in `bytes`: who reads it does so at once. */
const DENIALS_LIMIT = 256 * 1024;
/** How long the host's addresses are believed, in `milliseconds`. */
const ADDRESSES_LIFETIME = 5000;

// our own process wrote it
const config: FilterConfig = JSON.parse(await text(process.stdin));
const denialFile = openSync(config.denials, "a", 0o600);
const passt = createConnection(config.passt);
passt.on("error", () => process.exit(1));
const hypervisor = new Socket({ fd: CARD_FD, readable: true, writable: true });
passt.once("connect", () => {
  dropRights(config.runAs);
  join(hypervisor, passt);
  process.stdout.write("ready\n");
});

function join(machine: Socket, outside: Socket): void {
  for (const socket of [machine, outside]) {
    socket.on("error", () => socket.destroy());
    socket.on("close", () => process.exit(0));
  }
  const { rate = {} } = config;
  // passt knows the guest's card by its first frame; IPv6's, which come first, do not get there
  outside.write(framed(announcement(config.mac, config.address)));
  const policy = framePolicy();
  const outgoing = (frame: Uint8Array): boolean => {
    const verdict = policy?.outgoing(frame) ?? "pass";
    if (typeof verdict === "string") return verdict === "pass";
    machine.write(framed(verdict));
    return false;
  };
  const incoming = (frame: Uint8Array): boolean => {
    policy?.incoming(frame);
    return true;
  };
  const bucket = (bits: number | undefined) =>
    bits === undefined ? undefined : new TokenBucket(bits);
  pumpFrames({ from: machine, to: outside, passes: outgoing, bucket: bucket(rate.out) });
  pumpFrames({ from: outside, to: machine, passes: incoming, bucket: bucket(rate.in) });
}

function framePolicy(): FramePolicy | undefined {
  const { egress, address, nameServer } = config;
  if (egress === undefined) return undefined;
  const denials = new Denials();
  denials.listen(writeDenial);
  return new FramePolicy({
    policy: parseEgress(egress),
    address,
    nameServer,
    isHosts: hostAddresses(),
    onDenial: (denial) => denials.report({ container: config.container, ...denial }),
  });
}

function writeDenial(denial: object): void {
  if (fstatSync(denialFile).size > DENIALS_LIMIT) ftruncateSync(denialFile);
  appendFileSync(denialFile, `${JSON.stringify(denial)}\n`);
}

function hostAddresses(): (address: string) => boolean {
  let known = new Set<string>();
  let at = Number.NEGATIVE_INFINITY;
  return (address) => {
    if (performance.now() - at > ADDRESSES_LIFETIME) {
      const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
      known = new Set(all.map((each) => each.address));
      at = performance.now();
    }
    return known.has(address);
  };
}

/** What guests send is looked at by nobody in particular. */
function dropRights(uid: number | undefined): void {
  if (uid === undefined) return;
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
}
