import assert from "node:assert/strict";
import { it } from "node:test";
import { linkLocalOf } from "./restore-machine.ts";

it("a card's own IPv6 address follows from its MAC address", () => {
  assert.equal(linkLocalOf("02:64:ac:1f:00:02"), "fe80::64:acff:fe1f:2");
  assert.equal(linkLocalOf("00:25:96:12:34:56"), "fe80::225:96ff:fe12:3456");
});
