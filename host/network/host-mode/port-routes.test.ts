import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byPort, routeOf } from "./port-routes.ts";

function frame(protocol: number, source: number, fragment = 0): Uint8Array {
  const bytes = Buffer.alloc(54);
  bytes.writeUInt16BE(0x0800, 12);
  bytes.writeUInt8(0x45, 14);
  bytes.writeUInt16BE(40, 16);
  bytes.writeUInt16BE(fragment, 20);
  bytes.writeUInt8(protocol, 23);
  bytes.writeUInt16BE(source, 34);
  bytes.writeUInt16BE(4000, 36);
  return bytes;
}

const ROUTES = byPort([
  { path: "a", ports: ["tcp/80", "udp/53"] },
  { path: "b", ports: ["tcp/443"] },
]);

test("what comes from a port goes to who has it, the rest to the first", () => {
  assert.equal(routeOf(frame(6, 80), ROUTES), "a");
  assert.equal(routeOf(frame(17, 53), ROUTES), "a");
  assert.equal(routeOf(frame(6, 443), ROUTES), "b");
  assert.equal(routeOf(frame(17, 80), ROUTES), undefined);
  assert.equal(routeOf(frame(6, 80, 0x2000), ROUTES), undefined);
  assert.equal(routeOf(frame(6, 80), new Map()), undefined);
});

test("any bytes are no harm", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => void routeOf(bytes, ROUTES)));
});
