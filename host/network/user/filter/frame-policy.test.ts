import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { buildAnswer, parseQuestion, TYPE_A } from "../../dns/dns-message.ts";
import type { Denial } from "../../egress/denials.ts";
import { parseEgress } from "../../egress/egress-policy.ts";
import { parseIpv4 } from "../../ipv4.ts";
import { FramePolicy } from "./frame-policy.ts";
import { announcement, type Ipv4Packet, parseFrame, udpAnswer } from "./ipv4-frame.ts";

const GUEST = "10.0.2.100";
const SERVER = "10.0.2.3";
const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17 };

interface Packet {
  readonly from?: string;
  readonly to?: string;
  readonly ports?: readonly [number, number];
  readonly protocol?: keyof typeof PROTOCOLS;
  readonly data?: Uint8Array;
  readonly fragment?: number;
}

function frame({
  from = GUEST,
  to = "1.1.1.1",
  ports = [4000, 80],
  protocol = "tcp",
  data,
  fragment = 0,
}: Packet) {
  const body = Buffer.alloc(8);
  if (protocol === "icmp") body.writeUInt8(8, 0);
  else for (const [index, port] of ports.entries()) body.writeUInt16BE(port, index * 2);
  const payload = Buffer.concat([body, data ?? new Uint8Array(12)]);
  const bytes = Buffer.alloc(34);
  bytes.writeUInt16BE(0x0800, 12);
  bytes.writeUInt8(0x45, 14);
  bytes.writeUInt16BE(20 + payload.length, 16);
  bytes.writeUInt16BE(fragment, 20);
  bytes.writeUInt8(PROTOCOLS[protocol], 23);
  bytes.writeUInt32BE(parseIpv4(from) ?? 0, 26);
  bytes.writeUInt32BE(parseIpv4(to) ?? 0, 30);
  return Buffer.concat([bytes, payload]);
}

function question(name: string, id = 7): Uint8Array {
  const labels = name
    .split(".")
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  const head = Buffer.from([0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

function policed(text: string) {
  const clock = { now: 0 };
  const denied: Omit<Denial, "container">[] = [];
  const policy = new FramePolicy({
    policy: parseEgress(text),
    address: GUEST,
    nameServer: SERVER,
    isHosts: (address) => address === "9.9.9.9",
    onDenial: (denial) => denied.push(denial),
    now: () => clock.now,
  });
  const passes = (packet: Packet) => policy.outgoing(frame(packet)) === "pass";
  const ask = (name: string, answers: readonly string[], id = 7) => {
    const asked = question(name, id);
    const verdict = policy.outgoing(
      frame({ to: SERVER, ports: [5000, 53], protocol: "udp", data: asked }),
    );
    if (verdict !== "pass") return verdict;
    const parsed = parseQuestion(asked) ?? assert.fail();
    const data = buildAnswer(
      parsed,
      0,
      answers.map((address) => ({ type: TYPE_A, address })),
    );
    policy.incoming(frame({ from: SERVER, to: GUEST, ports: [53, 5000], protocol: "udp", data }));
    return verdict;
  };
  return { clock, denied, policy, passes, ask };
}

describe("a policy held against frames", () => {
  it("lets ranges, public addresses and ports through, and guards what a wider range has in it", () => {
    const { passes } = policed("allow=10.0.0.0/8:5432,169.0.0.0/8,192.168.1.0/24");
    assert.ok(passes({ to: "10.1.2.3", ports: [4000, 5432] }));
    assert.ok(!passes({ to: "10.1.2.3" }));
    assert.ok(passes({ to: "192.168.1.1", protocol: "icmp" }));
    assert.ok(!passes({ to: "10.1.2.3", protocol: "icmp" }));
    assert.ok(passes({ to: "169.1.1.1" }));
    assert.ok(!passes({ to: "169.254.169.254" }));
    assert.ok(!passes({ to: "1.1.1.1" }));
    const open = policed("public");
    assert.ok(open.passes({ to: "1.1.1.1" }));
    for (const to of ["10.0.0.1", "169.254.169.254", "9.9.9.9", "127.0.0.1"]) {
      assert.ok(!open.passes({ to }), to);
    }
    assert.ok(!open.passes({ to: "8.8.8.8", ports: [4000, 53], protocol: "udp" }));
  });

  it("pins what a name stands for, for as long as the answer is good, and no longer", () => {
    const { passes, ask, clock } = policed("allow=www.test:80,*.sub.test");
    assert.ok(!passes({}));
    assert.equal(ask("www.test", ["1.1.1.1"]), "pass");
    assert.ok(passes({}));
    assert.ok(!passes({ ports: [4000, 81] }));
    assert.ok(!passes({ protocol: "icmp" }));
    clock.now += 10_001;
    assert.ok(!passes({}));
    ask("a.sub.test", ["2.2.2.2", "9.9.9.9"]);
    // the host's own
    assert.ok(!passes({ to: "9.9.9.9" }));
    assert.ok(passes({ to: "2.2.2.2", protocol: "icmp" }));
  });

  it("pins by no answer that was not asked for, and to nothing that is not public", () => {
    const { passes, ask, policy, denied } = policed("allow=www.test");
    const data = buildAnswer(parseQuestion(question("www.test")) ?? assert.fail(), 0, [
      { type: TYPE_A, address: "1.1.1.1" },
    ]);
    policy.incoming(frame({ from: SERVER, to: GUEST, ports: [53, 5000], protocol: "udp", data }));
    assert.ok(!passes({}));
    ask("www.test", ["10.0.0.1", "169.254.169.254"]);
    assert.ok(!passes({ to: "10.0.0.1" }));
    assert.deepEqual(
      denied.filter(({ protocol }) => protocol === "dns").map(({ destination }) => destination),
      ["10.0.0.1", "169.254.169.254"],
    );
  });

  it("answers in the name server's place for names that are not in the list", () => {
    const { ask, denied } = policed("allow=www.test");
    const verdict = ask("other.test", []);
    assert.ok(verdict instanceof Uint8Array);
    const packet = parseFrame(verdict) as Ipv4Packet;
    assert.deepEqual([packet.sourcePort, packet.destinationPort], [53, 5000]);
    // NXDOMAIN, by the question's number
    assert.equal(Buffer.from(packet.payload).readUInt16BE(0), 7);
    assert.equal((packet.payload[3] ?? 0) & 0x0f, 3);
    assert.deepEqual(denied, [{ destination: "other.test", protocol: "dns" }]);
  });

  it("lets those be answered who have sent something, at that port alone, for a while", () => {
    const { passes, policy, clock } = policed("deny");
    const client = { to: "10.9.9.9", ports: [80, 6000] } as const;
    assert.ok(!passes(client));
    policy.incoming(frame({ from: "10.9.9.9", to: GUEST, ports: [6000, 80] }));
    assert.ok(passes(client));
    assert.ok(!passes({ ...client, ports: [81, 6000] }));
    assert.ok(!passes({ ...client, protocol: "udp" }));
    clock.now += 600_001;
    assert.ok(!passes(client));
  });

  it("takes no other sender's address, no pieces, and no other protocol", () => {
    const { passes, policy } = policed("allow=0.0.0.0/0");
    assert.ok(passes({}));
    assert.ok(!passes({ from: "10.0.2.101" }));
    assert.ok(!passes({ fragment: 0x2000 }));
    assert.ok(!passes({ fragment: 1 }));
    const six = frame({});
    six.writeUInt16BE(0x86dd, 12);
    assert.equal(policy.outgoing(six), "drop");
    six.writeUInt16BE(0x0806, 12);
    assert.equal(policy.outgoing(six), "pass");
  });

  it("says that something is refused, a number of times", () => {
    const { policy } = policed("deny");
    const verdicts = Array.from({ length: 60 }, () => policy.outgoing(frame({})));
    assert.equal(verdicts.filter((verdict) => verdict !== "drop").length, 50);
    const [first] = verdicts;
    assert.ok(first instanceof Uint8Array);
    assert.equal((parseFrame(first) as Ipv4Packet).payload.slice(0, 2).join(), "3,13");
  });

  it("is told the guest's card by an announcement of ARP", () => {
    const bytes = Buffer.from(announcement("02:00:00:00:00:09", GUEST));
    assert.equal(bytes.length, 42);
    assert.equal(parseFrame(bytes), "arp");
    assert.match(
      bytes.toString("hex"),
      /^f{12}020000000009080600010800060400010200000000090a000264/,
    );
  });

  it("takes any bytes without harm", () => {
    const { policy } = policed("allow=public,www.test");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isWhole) => {
        const any = isWhole
          ? frame({ protocol: "udp", to: SERVER, ports: [1, 53], data: bytes })
          : bytes;
        policy.outgoing(any);
        policy.incoming(any);
      }),
    );
  });

  it("answers a datagram from where it was sent to", () => {
    const sent = frame({ protocol: "udp", to: SERVER, ports: [5000, 53] });
    const answer = parseFrame(
      udpAnswer(sent, parseFrame(sent) as Ipv4Packet, Buffer.from("hello")),
    );
    assert.equal(Buffer.from((answer as Ipv4Packet).payload).toString(), "hello");
    assert.equal((answer as Ipv4Packet).destination, parseIpv4(GUEST));
  });
});
