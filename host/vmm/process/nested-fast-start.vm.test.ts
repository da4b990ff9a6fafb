import { test } from "node:test";
import { testInNestedHost } from "./nested/test-in-nested-host.ts";

/** A test in there saves and restores machines of 128 MiB, on an emulated processor; it takes some twenty seconds. */
const NODE = "node --test-reporter=tap --test-timeout=300000 --test-force-exit";
/** For the nested host as a whole, in `milliseconds`. */
const TIMEOUT = 900_000;

/** What is saved and restored on this machine's own KVM device is tested by `saved-machine.vm.test.ts`, always. */
const skip = process.env.DVM_NIGHTLY ? false : "takes minutes of both cores: set DVM_NIGHTLY=1";

test("forks, snapshots and spares in a host whose KVM runs Linux", {
  skip,
  timeout: 2 * TIMEOUT + 60_000,
}, async (t) => {
  const command = `${NODE} host/vmm/process/nested/test-fast-start.ts`;
  await testInNestedHost(t, { command, timeout: TIMEOUT }, 5);
});
