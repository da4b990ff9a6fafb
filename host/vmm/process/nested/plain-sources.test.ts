import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { PLAIN_LOADER, stripTypes } from "./plain-sources.ts";

const folder = mkdtempSync(join(tmpdir(), "dvm-plain-"));
after(() => rmSync(folder, { recursive: true }));

it("sources without their types run where Node strips none", () => {
  mkdirSync(join(folder, "part"));
  writeFileSync(join(folder, "loader.mjs"), PLAIN_LOADER);
  writeFileSync(join(folder, "part/other.ts"), "export const two: number = 2 as number;\n");
  const main = `import { two } from "./part/other.ts";\ntype T = string;\nconsole.log(\`\${two satisfies number}\` as T);\n`;
  writeFileSync(join(folder, "main.ts"), main);
  const words = [
    "--no-strip-types",
    "--import",
    join(folder, "loader.mjs"),
    join(folder, "main.ts"),
  ];
  const run = () => execFileSync(process.execPath, words, { encoding: "utf8", stdio: "pipe" });
  assert.throws(run, /SyntaxError/);
  stripTypes(folder);
  assert.equal(run(), "2\n");
});
