import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { parseMessages } from "./nflog.ts";

function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(4 + value.length, 0);
  head.writeUInt16LE(type, 2);
  return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)]);
}

function message(type: number, ...attributes: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.alloc(4), ...attributes]);
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeUInt16LE(type, 4);
  return Buffer.concat([head, body]);
}

const PACKET = message(
  0x0400,
  attribute(1, Buffer.from("08000500", "hex")),
  attribute(10, Buffer.from("dvt-0\0")),
  attribute(9, Buffer.from("450000", "hex")),
);

describe("the kernel's log of packets", () => {
  it("is read message by message, with what is not known passed over", () => {
    const found = parseMessages(Buffer.concat([message(2), PACKET, PACKET]));
    const packet = { prefix: "dvt-0", protocol: 0x0800, payload: Uint8Array.of(0x45, 0, 0) };
    assert.deepEqual(found, [packet, packet]);
  });

  it("is read as far as it is whole", () => {
    assert.deepEqual(parseMessages(PACKET.subarray(0, PACKET.length - 1)), []);
  });

  it("comes from the kernel", { skip: process.getuid?.() !== 0 }, () => {
    const program = `
      import { execFileSync } from "node:child_process";
      import { createSocket } from "node:dgram";
      import { PacketLog } from ${JSON.stringify(`${import.meta.dirname}/nflog.ts`)};
      const log = PacketLog.open(30000);
      let refusal = "";
      try { PacketLog.open(30000); } catch (error) { refusal = error.code; }
      const rules = "table inet t { chain c { type filter hook output priority 0; udp dport 9 log prefix hello group 30000; }; }";
      execFileSync("nft", ["-f", "-"], { input: rules });
      const socket = createSocket("udp4");
      socket.send("x", 9, "127.0.0.1", async () => {
        let packets = [];
        while (packets.length === 0) { await new Promise(setImmediate); packets = log.read(); }
        console.log(JSON.stringify([refusal, packets.map(({ prefix, protocol }) => [prefix, protocol])]));
        socket.close();
      });`;
    const run = ["-n", "sh", "-c", 'ip link set lo up; exec "$0" --input-type=module -e "$1"'];
    const out = execFileSync("unshare", [...run, process.execPath, program]).toString();
    const [refusal, packets] = JSON.parse(out);
    assert.match(refusal, /EPERM|EBUSY/);
    assert.deepEqual(packets, [["hello", 0x0800]]);
  });
});
