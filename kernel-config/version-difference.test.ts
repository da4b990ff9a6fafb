import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFragment } from "./fragment.ts";
import { parseKernelVersion, wantedByVersion } from "./version-difference.ts";

const options = parseFragment(
  "# a\nCONFIG_NET=y\n# b\nCONFIG_BASE_FULL=y\n# c\nCONFIG_BPF_JIT=y\n",
  "x.config",
);
const names = (version: string) => {
  const parsed = parseKernelVersion(version);
  assert.ok(parsed);
  return wantedByVersion(options, parsed).map((option) => `${option.name}=${option.value}`);
};

test("an older kernel is asked for nothing that it cannot have", () => {
  assert.deepEqual(names("6.1.192"), ["CONFIG_NET=y", "CONFIG_BASE_FULL=y"]);
});

test("a newer kernel is asked for an option by its new name", () => {
  assert.deepEqual(names("6.12"), ["CONFIG_NET=y", "CONFIG_BASE_SMALL=n", "CONFIG_BPF_JIT=y"]);
});

test("versions are compared by number", () => {
  assert.deepEqual(names("6.9"), names("6.1"));
  assert.deepEqual(names("7.0"), names("6.12"));
  assert.equal(parseKernelVersion("next"), undefined);
});
