import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { TestUser } from "./test-dvm.ts";

const user = new TestUser({ GIVEN: "from outside" });
after(() => user[Symbol.dispose]());

/** Writes a file of the user's. @returns its path */
function file(name: string, content: string | Uint8Array): string {
  const path = join(user.folder, name);
  writeFileSync(path, content);
  return path;
}

describe("the command of dvm run", () => {
  it("gets its arguments as they are, whatever they look like", async () => {
    const words = [
      "-n",
      "--",
      "",
      " a  b ",
      "q\"u'o$HOME\\n`x`*",
      "--rm",
      "größe 日本語 😀",
      "a\nb",
    ];
    const script = 'for word; do printf "[%s]" "$word"; done';
    const result = await user.dvm([
      "run",
      "--rm",
      "--",
      "busybox",
      "sh",
      "-c",
      script,
      "x",
      ...words,
    ]);
    assert.equal(result.out, words.map((word) => `[${word}]`).join(""), result.err);
  });

  it("can be 100 kB long, with two thousand variables of a file", async () => {
    const lines = Array.from({ length: 2000 }, (_, index) => `V${index}=value  of ${index}`);
    const path = file("many", `${lines.join("\n")}\n`);
    const script = `echo \${#1} $(env | grep -c ^V) "$V777"`;
    const long = "x".repeat(100_000);
    const { out, err } = await user.dvm([
      "run",
      "--rm",
      "--env-file",
      path,
      "busybox",
      "sh",
      "-c",
      script,
      "sh",
      long,
    ]);
    assert.equal(out, "100000 2000 value  of 777\n", err);
  });

  const tooLong: [string, () => string[]][] = [
    ["a variable", () => ["--env-file", file("huge", `A=${"x".repeat(200_000)}`), "busybox"]],
    ["many arguments", () => ["busybox", "true", ...Array<string>(20_000).fill("x")]],
    ["long arguments", () => ["busybox", "true", ...Array<string>(10).fill("x".repeat(120_000))]],
  ];
  for (const [what, words] of tooLong) {
    it(`is refused with ${what} that no process could have`, async () => {
      const { code, err } = await user.dvm(["run", "--rm", ...words()]);
      assert.match(err, /^dvm: argument list too long: .*\n {2}hint: .*-i/);
      assert.equal(code, 125);
      assert.deepEqual(user.leftovers(), []);
    });
  }

  it("is the entrypoint's: --entrypoint replaces it and takes the image's command away", async () => {
    const named = await user.dvm(["run", "--rm", "--entrypoint", "echo", "busybox", "-n", "hi"]);
    assert.equal(named.out, "hi");
    const none = await user.dvm(["run", "--rm", "--entrypoint", "", "busybox"]);
    assert.match(none.err, /^dvm: no command specified\n {2}hint: /);
    assert.equal(none.code, 125);
  });

  it("does not see flags that are given as empty words", async () => {
    const empty = ["--name", "", "-w", "", "-u", "", "--hostname", "", "--stop-signal", ""];
    const { code, out, err } = await user.dvm(["run", "--rm", ...empty, "busybox", "pwd"]);
    assert.deepEqual([code, out, err], [0, "/\n", ""]);
  });
});

describe("the environment of dvm run", () => {
  it("comes from the image, files and flags, the last of a name counting", async () => {
    const path = file("crlf", 'A=1\r\n# no\r\n\r\n  B= x \r\nGIVEN\r\nQ="q"\r\nNOT_SET\r\n');
    const flags = ["-e", "A=2", "-e", "EMPTY=", "-e", "Ü=ä  b", "-e", "E=a=b", "-e", "NOT_SET"];
    const { out, err } = await user.dvm([
      "run",
      "--rm",
      "--env-file",
      path,
      ...flags,
      "busybox",
      "env",
    ]);
    assert.equal(err, "");
    const variables = new Map(
      out
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    assert.match(variables.get("HOSTNAME") ?? "", /^[0-9a-f]{12}$/);
    variables.delete("HOSTNAME");
    assert.deepEqual(Object.fromEntries(variables), {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/root",
      A: "2",
      B: " x ",
      GIVEN: "from outside",
      Q: '"q"',
      EMPTY: "",
      Ü: "ä  b",
      E: "a=b",
    });
  });

  it("is not that of dvm, nor does a variable file become it", async () => {
    const path = file("own", "DVM_KERNEL=/nonexistent\nNODE_OPTIONS=--nonsense\n");
    const { code, out } = await user.dvm([
      "run",
      "--rm",
      "--env-file",
      path,
      "busybox",
      "sh",
      "-c",
      "echo $DVM_KERNEL $GIVEN",
    ]);
    assert.deepEqual([code, out], [0, "/nonexistent\n"]);
  });

  const refused: [string, () => string, RegExp][] = [
    ["is not there", () => "/nonexistent", /open \/nonexistent: no such file or directory/],
    ["is a folder", () => "/tmp", /\/tmp: is a directory/],
    ["has a name with blanks", () => file("b1", "A B=1\n"), /variable 'A B' contains whitespaces/],
    ["has no name", () => file("b2", "=1\n"), /no variable name on line '=1'/],
    ["is no text", () => file("b3", Buffer.from([0x41, 0x3d, 0xff])), /invalid utf8 bytes/],
    ["holds a null", () => file("b4", "A=a\0b\n"), /null character/],
  ];
  for (const [what, path, message] of refused) {
    it(`refuses a file that ${what}`, async () => {
      const { code, err } = await user.dvm(["run", "--rm", "--env-file", path(), "busybox", "env"]);
      assert.match(err, message);
      assert.doesNotMatch(err, /defect/);
      assert.equal(code, 125);
    });
  }
});

describe("dvm run refuses", () => {
  const cases: [string[], number, RegExp][] = [
    [[], 1, /requires at least 1 argument\n\nUsage: {2}dvm run/],
    [["--nosuch", "busybox"], 125, /^unknown flag: --nosuch\n\nUsage:/],
    [["-z", "busybox"], 125, /^unknown shorthand flag: 'z' in -z\n/],
    [["-it", "busybox", "sh"], 1, /^dvm: the input device is not a TTY\n {2}hint:/],
    [["-e", "=x", "busybox"], 125, /invalid environment variable: =x/],
    [["-w", "rel", "busybox", "pwd"], 125, /working directory 'rel' is invalid/],
    [["--stop-signal", "NOSUCH", "busybox"], 125, /invalid signal: NOSUCH/],
    [["--tmpfs", "rel", "busybox"], 125, /mount path must be absolute/],
    [["--cap-add", "NOSUCH", "busybox"], 125, /unknown capability: "CAP_NOSUCH"/],
    [["--security-opt", "nosuch", "busybox"], 125, /Invalid --security-opt: "nosuch"/],
    [["--security-opt", "seccomp=/nonexistent", "busybox"], 125, /no such file or directory/],
    [["-m", "1m", "busybox"], 125, /minimum memory limit allowed is 6MB/],
    [["-m", "1x", "busybox"], 125, /invalid argument "1x" for "-m, --memory" flag/],
    [["--memory-swap", "48m", "busybox"], 125, /always set the memory limit/],
    [["-m", "48m", "--memory-swap", "32m", "busybox"], 125, /larger than memory limit/],
    [["--cpus", "10000", "busybox"], 125, /range of CPUs is from 0\.01 to/],
    [["--cpuset-cpus", "8000", "busybox"], 125, /requested CPUs are not available/],
    [["--sysctl", "net.nosuch=1", "busybox"], 125, /kernel has no parameter net\/nosuch\n {2}hint/],
    [["--sysctl", "kernel.panic=1", "busybox"], 125, /'kernel\.panic=1' is not allowed/],
    [["--ulimit", "nosuch=1", "busybox"], 125, /invalid ulimit type: nosuch/],
    [["--ulimit", "nofile=2:1", "busybox"], 125, /soft limit must be less than or equal/],
    [["--hostname", "a b", "busybox"], 125, /invalid hostname format: a b/],
    [["--name", "a/b", "busybox"], 125, /invalid container name \(a\/b\)/],
    [[""], 125, /invalid image reference/],
    [["UPPER"], 125, /repository name must be lowercase/],
  ];
  for (const [words, code, message] of cases) {
    it(words.join(" ") || "to run nothing", async () => {
      const result = await user.dvm(["run", "--rm", ...words]);
      assert.match(result.err, message);
      assert.doesNotMatch(result.err, /defect/);
      assert.equal(result.code, code);
      assert.deepEqual(user.leftovers(), []);
    });
  }
});
