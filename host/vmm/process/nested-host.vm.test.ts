import { test } from "node:test";
import { testInNestedHost } from "./nested/test-in-nested-host.ts";
import { SmallGuests, whyNoKvm } from "./small-guest/small-guest.ts";

/** A test in there that takes so long, in `milliseconds`, hangs; those that pass take some ten seconds. */
const NODE = "node --test-reporter=tap --test-timeout=120000 --test-force-exit";
const SMALL_GUESTS = `${NODE} host/vmm/process/small-guest.vm.test.ts || exit`;

const PROGRAMS = "test-containers.ts test-shared-machines.ts";

/**
 * For the nested host as a whole, in `milliseconds`: it runs some forty machines, on an emulated processor. Two
 * minutes on two idle cores, which other tests may have.
 */
const TIMEOUT = 900_000;

test("in a host whose KVM runs Linux", { timeout: 3 * TIMEOUT + 60_000 }, async (t) => {
  using guests = new SmallGuests();
  const command = [
    "export DVM_SMALL_GUEST=$PWD/small-guest",
    ...(whyNoKvm() === undefined ? [] : [SMALL_GUESTS]), // where there is a KVM device they run on that
    `failed=0; for program in ${PROGRAMS}; do`,
    `  ${NODE} host/vmm/process/nested/$program || failed=1`,
    "done; exit $failed",
  ].join("\n");
  const files = { "small-guest": guests.kernel };
  await testInNestedHost(t, { command, files, timeout: TIMEOUT }, 23);
});
