import assert from "node:assert/strict";
import { test } from "node:test";
import { boundingSet, missingFrom, processCapabilities } from "./capabilities.ts";

const ask = (add: string[], drop: string[] = [], privileged = false) =>
  boundingSet({ add, drop, privileged });

test("Docker's fourteen capabilities are the default", () => {
  assert.equal(ask([]).size, 14);
  // What `docker run busybox grep Cap /proc/self/status` shows.
  assert.equal(processCapabilities(ask([]), 0).bounding, 0xa80425fbn);
});

test("names are taken with and without CAP_, in any case", () => {
  assert.deepEqual(ask(["net_admin"]), ask(["CAP_NET_ADMIN"]));
  assert.ok(ask(["Sys_Admin"]).has("CAP_SYS_ADMIN"));
});

test("what is both dropped and added is there", () => {
  assert.ok(ask(["CHOWN"], ["CHOWN"]).has("CAP_CHOWN"));
});

test("ALL dropped leaves what is added, ALL added leaves out what is dropped", () => {
  assert.deepEqual([...ask(["CHOWN"], ["ALL"])], ["CAP_CHOWN"]);
  assert.deepEqual([...ask([], ["all"])], []);
  const all = ask(["ALL"], ["SYS_ADMIN"]);
  assert.equal(all.size, 40);
  assert.ok(!all.has("CAP_SYS_ADMIN"));
});

test("a privileged container has every capability", () => {
  assert.equal(ask([], ["ALL"], true).size, 41);
});

test("an unknown capability is refused by name", () => {
  assert.throws(() => ask(["FOO"]), {
    message: 'invalid CapAdd: unknown capability: "CAP_FOO"',
    exitCode: 125,
  });
  assert.throws(() => ask([], ["constructor"]), { message: /invalid CapDrop: .*CAP_CONSTRUCTOR/ });
});

test("root holds the whole bounding set, others nothing of it", () => {
  const root = processCapabilities(ask([]), 0);
  assert.equal(root.effective, root.bounding);
  assert.equal(root.inheritable, 0n);
  const other = processCapabilities(ask([]), 1000);
  assert.deepEqual([other.effective, other.permitted, other.inheritable], [0n, 0n, 0n]);
  assert.equal(other.bounding, root.bounding);
});

test("what the bounding set lacks is dropped", () => {
  assert.equal(missingFrom(processCapabilities(ask([]), 0).bounding).length, 41 - 14);
  assert.deepEqual(missingFrom(processCapabilities(ask(["ALL"]), 0).bounding), []);
});
