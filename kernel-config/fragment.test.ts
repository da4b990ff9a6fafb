import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { formatOptions, optionLine, parseFragment, readFragments } from "./fragment.ts";

const FRAGMENTS = join(import.meta.dirname, "fragments");

test("reads each option with its value, its reason and its place", () => {
  const text = `# What this file is for.

# two lines
# of reason
CONFIG_NET=y
# a number
CONFIG_NR_CPUS=64
# a string
CONFIG_LSM="landlock"
# left out
# CONFIG_PCI is not set
`;
  assert.deepEqual(parseFragment(text, "x.config"), [
    { name: "CONFIG_NET", value: "y", reason: "two lines of reason", origin: "x.config:5" },
    { name: "CONFIG_NR_CPUS", value: "64", reason: "a number", origin: "x.config:7" },
    { name: "CONFIG_LSM", value: '"landlock"', reason: "a string", origin: "x.config:9" },
    { name: "CONFIG_PCI", value: "n", reason: "left out", origin: "x.config:11" },
  ]);
});

test("refuses an option without a reason of its own", () => {
  for (const text of [
    "CONFIG_NET=y",
    "# why\nCONFIG_NET=y\nCONFIG_UNIX=y",
    "# why\n\nCONFIG_UNIX=y",
  ]) {
    assert.throws(() => parseFragment(text, "x.config"), {
      code: "KERNEL_FRAGMENT_INVALID",
      message: /^x\.config:\d: CONFIG_\w+ has no reason$/,
    });
  }
});

test("refuses a line that is neither comment nor option, modules included", () => {
  for (const line of [
    "CONFIG_NET=m",
    "CONFIG_NET = y",
    "NET=y",
    "#CONFIG_NET is not set",
    'CONFIG_A="',
  ]) {
    assert.throws(() => parseFragment(`# why\n${line}`, "x.config"), {
      code: "KERNEL_FRAGMENT_INVALID",
      message: `x.config:2: neither comment nor option: ${line}`,
    });
  }
});

test("every option of every fragment has a reason, and none is asked for twice", () => {
  const options = readFragments(FRAGMENTS);
  const lines = readdirSync(FRAGMENTS)
    .flatMap((name) => readFileSync(join(FRAGMENTS, name), "utf8").split("\n"))
    .filter((line) => /^(# )?CONFIG_\w+(=| is not set)/.test(line));
  assert.equal(options.length, lines.length);
  for (const option of options) {
    assert.ok(option.reason.length >= 4, `${option.origin}: ${option.name}`);
  }
});

test("reads back what it writes", () => {
  const value = fc.oneof(
    fc.constantFrom("y", "n"),
    fc.integer().map(String),
    fc.stringMatching(/^[a-z ,=#]*$/).map((text) => `"${text}"`),
  );
  const name = fc.stringMatching(/^[A-Z0-9_]+$/).map((text) => `CONFIG_${text}`);
  fc.assert(
    fc.property(name, value, (option, wanted) => {
      const line = optionLine({ name: option, value: wanted });
      const [read] = parseFragment(`# why\n${line}\n`, "x.config");
      assert.deepEqual([read?.name, read?.value], [option, wanted]);
    }),
  );
});

test("never fails on a fragment but with a refusal", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      try {
        formatOptions(parseFragment(text, "x.config"));
      } catch (error) {
        assert.equal((error as { code?: string }).code, "KERNEL_FRAGMENT_INVALID");
      }
    }),
  );
});
