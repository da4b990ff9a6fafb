import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  inheritValues,
  parseEnvironmentFile,
  parseEnvironmentVariable,
  readEnvironmentFile,
  readLabelFile,
} from "./environment.ts";
import { parseLabel, parseStorageOption, parseSysctl } from "./key-values.ts";
import { parseDnsSearch, parseDnsServer, parseExtraHost } from "./network-names.ts";
import { parseSecurityOptions } from "./security-options.ts";
import { parseSignal } from "./signal-name.ts";
import { parseTmpfs } from "./tmpfs.ts";
import { parseUlimit } from "./ulimit.ts";

function table<T>(
  name: string,
  parse: (text: string) => T,
  rows: { readonly takes: readonly [string, T][]; readonly refuses: readonly [string, string][] },
): void {
  describe(name, () => {
    for (const [text, value] of rows.takes) {
      it(`takes ${JSON.stringify(text)}`, () => assert.deepEqual(parse(text), value));
    }
    for (const [text, message] of rows.refuses) {
      it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parse(text), { message }));
    }
  });
}

table("--ulimit", parseUlimit, {
  takes: [
    ["nofile=1024", { name: "nofile", soft: 1024, hard: 1024 }],
    ["nofile=1:2", { name: "nofile", soft: 1, hard: 2 }],
    ["core=-1", { name: "core", soft: -1, hard: -1 }],
    ["memlock=5:-1", { name: "memlock", soft: 5, hard: -1 }],
  ],
  refuses: [
    ["foo", "invalid ulimit argument: foo"],
    ["bogus=5", "invalid ulimit type: bogus"],
    ["nofile=a", 'strconv.ParseInt: parsing "a": invalid syntax'],
    ["nofile=5:4", "ulimit soft limit must be less than or equal to hard limit: 5 > 4"],
    [
      "nofile=-1:4",
      "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 4",
    ],
    [
      "nofile=1:2:3",
      "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`",
    ],
  ],
});

table("--env", parseEnvironmentVariable, {
  takes: [
    ["A=1", "A=1"],
    ["A", "A"],
    ["A==", "A=="],
  ],
  refuses: [
    ["", "invalid environment variable: "],
    ["=foo", "invalid environment variable: =foo"],
  ],
});

describe("the environment", () => {
  it("gives a value to a variable that is named alone", () => {
    const variables = inheritValues(["A", "B=2", "C"], { A: "1", B: "x" });
    assert.deepEqual(variables, ["A=1", "B=2", "C"]);
  });

  it("is read from a file line by line", () => {
    const text = '\ufeff# comment\n\nA=1\n  B=with space \r\nC\n#D=1\nE="quoted"\n';
    assert.deepEqual(parseEnvironmentFile(Buffer.from(text)), [
      "A=1",
      "B=with space ",
      "C",
      'E="quoted"',
    ]);
  });

  it("is refused from a file in Docker's words; a file of labels is alike", () => {
    const folder = mkdtempSync(join(tmpdir(), "dvm-env-"));
    const path = join(folder, "env");
    const refuses = (content: string | Uint8Array, message: string) => {
      writeFileSync(path, content);
      assert.throws(() => readEnvironmentFile(path), { message });
    };
    try {
      refuses("A B=1\n", `invalid env file (${path}): variable 'A B' contains whitespaces`);
      refuses("=1\n", `invalid env file (${path}): no variable name on line '=1'`);
      refuses(Uint8Array.of(0xff), `invalid env file (${path}): invalid utf8 bytes`);
      writeFileSync(path, "# labels\na=b=c\nalone\n");
      assert.deepEqual(readLabelFile(path), [
        ["a", "b=c"],
        ["alone", ""],
      ]);
      assert.throws(() => readEnvironmentFile(join(folder, "none")), {
        message: `open ${folder}/none: no such file or directory`,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

table("--label", parseLabel, {
  takes: [
    ["a=b=c", ["a", "b=c"]],
    ["a", ["a", ""]],
  ],
  refuses: [["", "invalid label '': empty name"]],
});

table("--sysctl", parseSysctl, {
  takes: [["net.ipv4.ip_forward=1", ["net.ipv4.ip_forward", "1"]]],
  refuses: [
    ["foo", "sysctl 'foo' is not allowed"],
    ["vm.swappiness=1", "sysctl 'vm.swappiness=1' is not allowed"],
    ["net.x", "sysctl 'net.x' is not allowed"],
  ],
});

table("--storage-opt", parseStorageOption, {
  takes: [["size=1g", ["size", "1g"]]],
  refuses: [["foo", "invalid storage option"]],
});

table("--add-host", parseExtraHost, {
  takes: [
    ["db:10.0.0.1", "10.0.0.1 db"],
    ["db=10.0.0.1", "10.0.0.1 db"],
    ["db:::1", "::1 db"],
    ["db:[::1]", "::1 db"],
    ["host.docker.internal:host-gateway", "host-gateway host.docker.internal"],
  ],
  refuses: [
    ["foo", 'bad format for add-host: "foo"'],
    ["a:b", 'invalid IP address in add-host: "b"'],
    [":1.2.3.4", 'bad format for add-host: ":1.2.3.4"'],
  ],
});

table("--dns", parseDnsServer, {
  takes: [["8.8.8.8", "8.8.8.8"]],
  refuses: [["foo", "IP address is not correctly formatted: foo"]],
});

table("--dns-search", parseDnsSearch, {
  takes: [
    ["example.com", "example.com"],
    [".", "."],
  ],
  refuses: [["1.2.3", "1.2.3 is not a valid domain"]],
});

table("--tmpfs", parseTmpfs, {
  takes: [
    ["/run", { destination: "/run", options: ["noexec", "nosuid", "nodev"] }],
    [
      "/run:rw,exec,size=64m,mode=1777",
      { destination: "/run", options: ["nosuid", "nodev", "rw", "exec", "size=64m", "mode=1777"] },
    ],
  ],
  refuses: [
    ["foo", "invalid mount path: 'foo' mount path must be absolute"],
    ["/", "invalid specification: destination can't be '/'"],
    ["/x:bogus", 'invalid tmpfs option "bogus"'],
    ["/x:size=1,lowerdir=/", 'invalid tmpfs option "lowerdir=/"'],
  ],
});

table("a signal", parseSignal, {
  takes: [
    ["TERM", 15],
    ["SIGTERM", 15],
    ["sigkill", 9],
    ["9", 9],
    ["RTMIN", 34],
    ["SIGRTMIN+3", 37],
    ["RTMAX-1", 63],
  ],
  refuses: [
    ["FOO", "invalid signal: FOO"],
    ["0", "invalid signal: 0"],
    ["65", "invalid signal: 65"],
    ["RTMAX+1", "invalid signal: RTMAX+1"],
    ["", "invalid signal: "],
  ],
});

table("--security-opt", (text) => parseSecurityOptions([text]), {
  takes: [
    ["seccomp=unconfined", { seccomp: "unconfined", noNewPrivileges: false }],
    ["seccomp:unconfined", { seccomp: "unconfined", noNewPrivileges: false }],
    ["no-new-privileges", { seccomp: "default", noNewPrivileges: true }],
    ["no-new-privileges=true", { seccomp: "default", noNewPrivileges: true }],
    ["no-new-privileges:false", { seccomp: "default", noNewPrivileges: false }],
    ["apparmor=unconfined", { seccomp: "default", noNewPrivileges: false }],
  ],
  refuses: [
    ["foo", 'Invalid --security-opt: "foo"'],
    ["foo=bar", 'Invalid --security-opt: "foo=bar"'],
    ["no-new-privileges=maybe", 'Invalid --security-opt: "no-new-privileges=maybe"'],
    [
      "seccomp=/nonexistent",
      "opening seccomp profile (/nonexistent) failed: open /nonexistent: no such file or directory",
    ],
    ["apparmor=mine", "--security-opt apparmor=mine is not supported"],
  ],
});
