import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { StructLayout } from "./layout.ts";

/** Headers that define each file's constants; a table's names may need a prefix to be C. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  bpf: ["linux/bpf.h"],
  capability: ["linux/capability.h"],
  close_range: ["linux/close_range.h"],
  dirent: ["dirent.h"],
  errno: ["asm/errno.h"],
  fcntl: ["linux/fcntl.h", "linux/fs.h"],
  if: ["sys/socket.h", "linux/sockios.h", "linux/if.h"],
  magic: ["linux/magic.h"],
  mount: ["linux/fcntl.h", "linux/mount.h"],
  openat2: ["linux/openat2.h"],
  poll: ["asm/poll.h"],
  prctl: ["linux/prctl.h"],
  random: ["linux/random.h"],
  reboot: ["linux/reboot.h"],
  resource: ["asm/resource.h", "linux/resource.h"],
  rtnetlink: ["linux/rtnetlink.h", "linux/if_addr.h", "linux/if_link.h", "linux/neighbour.h"],
  sched: ["linux/sched.h"],
  seccomp: ["linux/seccomp.h", "linux/audit.h"],
  securebits: ["linux/securebits.h"],
  signal: ["asm/signal.h"],
  signalfd: ["linux/fcntl.h", "linux/signalfd.h"],
  socket: ["sys/socket.h", "linux/netlink.h"],
  stat: ["sys/stat.h"],
  swap: ["sys/swap.h"],
  time: ["linux/time.h"],
  tty: ["linux/termios.h"],
  unistd_64: ["asm/unistd.h"],
  wait: ["linux/wait.h"],
  xattr: ["linux/xattr.h"],
};
const PREFIX: Readonly<Record<string, string>> = { unistd_64: "__NR_" };
/** Constants that the user's headers leave out or spell otherwise, with what their source says. */
const UNEXPORTED: Readonly<Record<string, string>> = {
  // include/linux/fs.h, to umount2(2)
  MNT_FORCE: "1",
  MNT_DETACH: "2",
  MNT_EXPIRE: "4",
  UMOUNT_NOFOLLOW: "8",
  // fcntl(2)'s name of the kernel's FASYNC
  O_ASYNC: "FASYNC",
  // no limit stands as Infinity
  RLIM_INFINITY: "",
};

describe("the kernel's ABI as a C compiler sees it", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "dvm-abi-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  const files = readdirSync(import.meta.dirname).filter(
    (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
  );
  for (const file of files) {
    const name = file.slice(0, -3);
    it(`agrees with ${file}`, async () => {
      const exported: Record<string, unknown> = await import(`./${file}`);
      const constants = constantsOf(exported, PREFIX[name] ?? "");
      const wanted = new Map(constants.filter(([constant]) => UNEXPORTED[constant] !== ""));
      const layouts = Object.values(exported).filter(isLayout);
      for (const layout of layouts) {
        // A union of arguments grows with the kernel; the part that is written down stays as it is.
        if (!layout.name.startsWith("union ")) wanted.set(`sizeof(${layout.name})`, layout.size);
        for (const [field, { offset, size }] of Object.entries(layout.fields)) {
          wanted.set(`offsetof(${layout.name}, ${field})`, offset);
          wanted.set(`sizeof(((${layout.name} *)0)->${field})`, size);
        }
      }
      if (wanted.size === 0) return;
      const constantHeaders = constants.length > 0 ? HEADERS[name] : [];
      assert.ok(constantHeaders, `no header is named for ${file}`);
      // A layout's headers may contradict those of the constants: each has a program of its own.
      const programs = [
        {
          headers: constantHeaders,
          names: [...wanted.keys()].filter((key) => !key.includes("of(")),
        },
        ...layouts.map((layout) => ({
          headers:
            layout.name === "struct ifreq" ? ["sys/socket.h", ...layout.headers] : layout.headers,
          names: [...wanted.keys()].filter(
            (key) =>
              key.includes(`(${layout.name})`) ||
              key.includes(`(${layout.name},`) ||
              key.includes(`(${layout.name} *`),
          ),
        })),
      ];
      for (const { headers, names } of programs) {
        const values = evaluate(folder, headers, names);
        for (const each of names) assert.equal(values.get(each), String(wanted.get(each)), each);
      }
    });
  }

  it("notices a wrong value", () => {
    assert.equal(evaluate(folder, ["linux/sched.h"], ["CLONE_NEWNS"]).get("CLONE_NEWNS"), "131072");
  });
});

function constantsOf(
  exported: Readonly<Record<string, unknown>>,
  prefix: string,
): [string, number][] {
  return Object.entries(exported).flatMap(([name, value]): [string, number][] => {
    if (typeof value === "number") return [[name, value]];
    if (typeof value !== "object" || value === null || isLayout(value)) return [];
    return Object.entries(value).map(([key, number]) => [`${prefix}${key}`, Number(number)]);
  });
}

function isLayout(value: unknown): value is StructLayout {
  return typeof value === "object" && value !== null && "fields" in value && "headers" in value;
}

/** Values of C expressions, in decimal. */
function evaluate(
  folder: string,
  headers: readonly string[],
  names: readonly string[],
): Map<string, string> {
  if (names.length === 0) return new Map();
  const source = [
    "#define _GNU_SOURCE",
    ...headers.map((header) => `#include <${header}>`),
    "#include <stddef.h>",
    "int printf(const char *, ...);",
    "int main(void) {",
    ...names.map((name) => `printf("%lld\\n", (long long)(${UNEXPORTED[name] ?? name}));`),
    "}",
  ];
  writeFileSync(join(folder, "abi.c"), source.join("\n"));
  execFileSync("gcc", ["-w", "-o", join(folder, "abi"), join(folder, "abi.c")]);
  const lines = execFileSync(join(folder, "abi"), { encoding: "utf8" }).split("\n");
  return new Map(names.map((name, index) => [name, lines[index] ?? ""]));
}
