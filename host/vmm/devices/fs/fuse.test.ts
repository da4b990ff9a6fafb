import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { statx } from "./file-calls.ts";
import * as fuse from "./fuse.ts";

test("the layout of struct statx is that of linux/stat.h", () => {
  const { length, ...fields } = statx;
  const ours = { ...fields, size_: length };
  const name = (field: string) =>
    field === "size" ? "statx.size" : `statx.stx_${field.replace("size_", "size")}`;
  const named = Object.entries(ours).map(([field, at]): [string, number] => [name(field), at]);
  const c = compiled(named.map(([each]) => each));
  assert.deepEqual(new Map(named), c);
});

test("numbers and layouts are those of linux/fuse.h", () => {
  const ours = Object.entries(fuse).flatMap(([name, value]): [string, number][] => {
    if (typeof value === "number") return [[name, value]];
    const prefix = name === "fuse_opcode" ? "" : `${name}.`;
    return Object.entries(value).map(([field, number]) => [`${prefix}${field}`, number]);
  });
  assert.deepEqual(new Map(ours), compiled(ours.map(([name]) => name)));
});

/** Has the C compiler evaluate each name. */
function compiled(names: readonly string[]): Map<string, number> {
  const folder = mkdtempSync(join(tmpdir(), "dvm-fuse-"));
  try {
    const lines = names.map(
      (name) => `printf("${name} %llu\\n", (unsigned long long)(${expression(name)}));`,
    );
    writeFileSync(
      join(folder, "a.c"),
      `#include <linux/fuse.h>\n#include <linux/stat.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n${lines.join("\n")}\n}\n`,
    );
    execFileSync("gcc", ["-o", join(folder, "a"), join(folder, "a.c")]);
    const output = execFileSync(join(folder, "a"), { encoding: "utf8" });
    const rows = output
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
    return new Map(rows.map(([name = "", value]) => [name, Number(value)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function expression(name: string): string {
  const [structure = "", field, isField] = name.split(".");
  if (field === undefined) return name;
  if (field === "size" && isField === undefined) return `sizeof(struct ${structure})`;
  return `offsetof(struct ${structure}, ${field})`;
}
