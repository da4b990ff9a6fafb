import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseFragment } from "./fragment.ts";
import { evaluateExpression, type KconfigDefinitions, readKconfig } from "./kconfig.ts";
import { findLostOptions, parseConfiguration, verifyConfiguration } from "./verify.ts";

let tree: string;
let definitions: KconfigDefinitions;

before(() => {
  tree = mkdtempSync(join(tmpdir(), "dvm-kconfig-"));
  writeFileSync(
    join(tree, "Kconfig"),
    `mainmenu "test"
menuconfig MISC
	bool "Miscellaneous"
if MISC
source "sub.Kconfig"
endif
config TOOL
	bool "Tool"
	select HIDDEN if MISC
config HIDDEN
	bool
	help
	  depends on NOTHING, says the help text
	  config FAKE
menu "Network"
	depends on NET
config VETH
	bool "Pairs" if EXPERT
	depends on TUN && (INET || \\
		UNIX)
endmenu
`,
  );
  writeFileSync(
    join(tree, "sub.Kconfig"),
    'config EROFS\n\ttristate "EROFS"\n\tdepends on BLOCK\n',
  );
  definitions = readKconfig(tree);
});

after(() => rmSync(tree, { recursive: true }));

const wanted = (lines: string) =>
  parseFragment(
    lines
      .split("\n")
      .map((line) => `# why\n${line}`)
      .join("\n"),
    "x.config",
  );

test("accepts a configuration that holds everything wanted", () => {
  const configuration = parseConfiguration(
    '# CONFIG_PCI is not set\nCONFIG_NET=y\nCONFIG_LSM="a b"\n',
  );
  const options = wanted(
    'CONFIG_NET=y\n# CONFIG_PCI is not set\nCONFIG_LSM="a b"\n# CONFIG_ABSENT is not set',
  );
  verifyConfiguration(options, configuration, definitions);
});

test("finds an option that was dropped, changed or switched on", () => {
  const configuration = parseConfiguration(
    "# CONFIG_NET is not set\nCONFIG_NR_CPUS=8\nCONFIG_PCI=y\n",
  );
  const options = wanted("CONFIG_NET=y\nCONFIG_NR_CPUS=64\n# CONFIG_PCI is not set\nCONFIG_GONE=y");
  assert.deepEqual(
    findLostOptions(options, configuration).map((lost) => [lost.wanted.name, lost.found]),
    [
      ["CONFIG_NET", "n"],
      ["CONFIG_NR_CPUS", "8"],
      ["CONFIG_PCI", "y"],
      ["CONFIG_GONE", "n"],
    ],
  );
});

test("names the dependency that is not met, also that of an enclosing if or menu", () => {
  const configuration = parseConfiguration("CONFIG_BLOCK=y\nCONFIG_NET=y\n");
  assert.throws(
    () =>
      verifyConfiguration(
        wanted("CONFIG_EROFS=y\nCONFIG_VETH=y\nCONFIG_NEW=y"),
        configuration,
        definitions,
      ),
    {
      code: "KERNEL_OPTION_LOST",
      message: [
        "3 wanted kernel options did not survive:",
        "  CONFIG_EROFS=y (x.config:2) is not set: depends on MISC",
        "  CONFIG_VETH=y (x.config:4) is not set: depends on TUN && (INET ||  \t\tUNIX)",
        "  CONFIG_NEW=y (x.config:6) is not set: this kernel has no such option",
      ].join("\n"),
    },
  );
});

test("names who selects an option that was to stay off", () => {
  const configuration = parseConfiguration("CONFIG_TOOL=y\nCONFIG_HIDDEN=y\n");
  assert.throws(
    () => verifyConfiguration(wanted("# CONFIG_HIDDEN is not set"), configuration, definitions),
    /HIDDEN is not set \(x\.config:2\) is y: selected by TOOL/,
  );
});

test("does not take help text for statements", () => {
  assert.equal(definitions.has("FAKE"), false);
  assert.deepEqual(definitions.get("HIDDEN")?.dependencies, [[]]);
});

test("evaluates conditions with the precedence of Kconfig", () => {
  const configuration = parseConfiguration('CONFIG_A=y\nCONFIG_B=y\nCONFIG_S="x"\nCONFIG_N=4\n');
  const cases: [string, boolean][] = [
    ["A", true],
    ["!A", false],
    ["!C", true],
    ["C || A && B", true],
    ["(C || A) && !B", false],
    ["A=y && C=n", true],
    ['S = "x"', true],
    ["N != 4", false],
    ["m", false],
    ["y", true],
  ];
  for (const [expression, result] of cases) {
    assert.equal(evaluateExpression(expression, configuration), result, expression);
  }
});
