import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPortRights } from "./check-port-rights.ts";

test("a user other than root gets no port of root's, by whatever range", () => {
  const check = (uid: number, ...hostPorts: readonly [number, number]) =>
    checkPortRights([{}, { hostPorts }], uid, 1024);
  for (const range of [[80, 80] as const, [1023, 2000] as const]) {
    assert.throws(() => check(1000, ...range), { code: "CONFIG_INVALID" });
    check(0, ...range);
  }
  check(1000, 1024, 1024);
  check(1000, 0, 0);
});
