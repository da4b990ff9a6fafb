import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as kvm from "./kvm.ts";

test("layouts and request numbers are those of linux/kvm.h", () => {
  const ours = Object.entries(kvm).flatMap(([name, value]): [string, number][] => {
    if (typeof value === "number") return [[name, value]];
    return Object.entries(value).map(([field, offset]) => [`${name}.${field}`, offset]);
  });
  const theirs = compiled(ours.map(([name]) => name));
  assert.deepEqual(new Map(ours), theirs);
});

/** Has the C compiler evaluate each name. */
function compiled(names: readonly string[]): Map<string, number> {
  const folder = mkdtempSync(join(tmpdir(), "dvm-kvm-"));
  try {
    const lines = names.map(
      (name) => `printf("${name} %llu\\n", (unsigned long long)(${expression(name)}));`,
    );
    writeFileSync(
      join(folder, "a.c"),
      `#include <linux/kvm.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n${lines.join("\n")}\n}\n`,
    );
    execFileSync("gcc", ["-o", join(folder, "a"), join(folder, "a.c")]);
    const output = execFileSync(join(folder, "a"), { encoding: "utf8" });
    return new Map(
      output
        .trim()
        .split("\n")
        .map((line) => {
          const [name = "", value] = line.split(" ");
          return [name, Number(value)];
        }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function expression(name: string): string {
  const [structure, ...path] = name.split(".");
  if (path.length === 0) return name;
  const field = path.join(".");
  if (structure === "kvm_stats_desc" && field === "size")
    return `offsetof(struct ${structure}, name)`;
  if (field === "size") return `sizeof(struct ${structure})`;
  return `offsetof(struct ${structure}, ${field === "exit" ? "hw" : field})`;
}
