import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { syscallNumbers } from "./syscall-numbers.ts";

for (const [machine, header] of [
  ["x86_64", "unistd_64.h"],
  ["i386", "unistd_32.h"],
] as const) {
  test(`knows every ${machine} call of the system's headers by its number`, (t) => {
    const text =
      read(`/usr/include/x86_64-linux-gnu/asm/${header}`) ?? read(`/usr/include/asm/${header}`);
    if (text === undefined) return t.skip("the kernel's headers are not installed");
    const numbers = syscallNumbers(machine);
    const defined = [...text.matchAll(/^#define __NR_(\w+) (\d+)$/gm)];
    assert.ok(defined.length > 300);
    for (const [, name = "", number] of defined)
      assert.equal(numbers.get(name), Number(number), name);
  });

  test(`no two ${machine} calls share a number`, () => {
    const numbers = [...syscallNumbers(machine).values()];
    assert.equal(new Set(numbers).size, numbers.length);
  });
}

test("calls newer than 424 have the same number on both machines", () => {
  const i386 = syscallNumbers("i386");
  for (const [name, number] of syscallNumbers("x86_64")) {
    if (number >= 424 && name !== "memfd_secret") assert.equal(i386.get(name), number, name);
  }
});

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
