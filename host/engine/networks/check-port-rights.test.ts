import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPortRights } from "./check-port-rights.ts";

test("a user other than root gets no port of root's, by whatever range", () => {
  const check = (uid: number, ...hostPorts: [number, number]) =>
    checkPortRights([{}, { hostPorts }], uid, 1024);
  assert.throws(() => check(1000, 80, 80), { code: "CONFIG_INVALID" });
  assert.throws(() => check(1000, 1023, 2000), { code: "CONFIG_INVALID" });
  check(0, 80, 80);
  check(1000, 1024, 1024);
  check(1000, 0, 0);
});
