import assert from "node:assert/strict";
import { test } from "node:test";
import { arpRequest } from "./arp-request.ts";

test("a question of ARP is as a guest asks it", () => {
  const frame = arpRequest({
    mac: "02:00:00:00:00:07",
    address: "192.0.2.2",
    target: "169.254.77.2",
  });
  // RFC 826: all nodes, Ethernet and IPv4, request, who asks, who is asked for
  const captured =
    "ffffffffffff0200000000070806" +
    "0001080006040001" +
    "020000000007c0000202" +
    "000000000000a9fe4d02";
  assert.equal(Buffer.from(frame).toString("hex"), captured);
});
