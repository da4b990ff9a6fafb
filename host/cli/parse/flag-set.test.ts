import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DvmError } from "../../errors.ts";
import { asText, booleanFlag, HelpRequest, listFlag, parseFlags, valueFlag } from "./flag-set.ts";
import { parseInteger } from "./integer.ts";

const table = {
  env: listFlag({ short: "e", help: "", parse: asText }),
  help: booleanFlag({ help: "" }),
  interactive: booleanFlag({ short: "i", help: "" }),
  proxy: booleanFlag({ help: "", initial: true }),
  shares: valueFlag({ short: "c", placeholder: "int", help: "", parse: parseInteger }),
  tty: booleanFlag({ short: "t", help: "" }),
} as const;

const parse = (words: string[], interspersed = false) => parseFlags(table, words, { interspersed });

describe("flags", () => {
  it("are written in every way that pflag takes", () => {
    for (const words of [
      ["--env", "A=1"],
      ["--env=A=1"],
      ["-e", "A=1"],
      ["-eA=1"],
      ["-e=A=1"],
      ["-ie", "A=1"],
    ]) {
      assert.deepEqual(parse(words).values.env, ["A=1"], words.join(" "));
    }
    const { values } = parse(["-it", "-e", "A", "-e", "B", "--shares=5"]);
    assert.deepEqual(
      [values.interactive, values.tty, values.env, values.shares],
      [true, true, ["A", "B"], 5],
    );
  });

  it("take a value for a boolean after an equals sign only", () => {
    assert.equal(parse(["--proxy=false"]).values.proxy, false);
    assert.equal(parse(["-t=false"]).values.tty, false);
    assert.deepEqual(parse(["--tty", "false"]).args, ["false"]);
    assert.equal(parse([]).values.proxy, true);
  });

  it("end at the first argument, or go on after it", () => {
    assert.deepEqual(parse(["-i", "image", "-t", "--env"]).args, ["image", "-t", "--env"]);
    const { values, args } = parse(["one", "-t", "two"], true);
    assert.deepEqual([values.tty, args], [true, ["one", "two"]]);
    assert.deepEqual(parse(["-t", "--", "-i"], true).args, ["-i"]);
    assert.deepEqual(parse(["-"]).args, ["-"]);
  });

  it("tell which were given", () => {
    assert.deepEqual([...parse(["--proxy=true", "-i"]).given], ["proxy", "interactive"]);
  });

  it("ask for help, but not in the command's own words", () => {
    assert.throws(() => parse(["--help", "image"]), HelpRequest);
    assert.deepEqual(parse(["image", "--help"]).args, ["image", "--help"]);
  });

  const refusals: [string[], string][] = [
    [["--bogus"], "unknown flag: --bogus"],
    [["--bogus=1"], "unknown flag: --bogus"],
    [["--constructor"], "unknown flag: --constructor"],
    [["-z"], "unknown shorthand flag: 'z' in -z"],
    [["-itz"], "unknown shorthand flag: 'z' in -itz"],
    [["--env"], "flag needs an argument: --env"],
    [["-e"], "flag needs an argument: 'e' in -e"],
    [["---x"], "bad flag syntax: ---x"],
    [["--=x"], "bad flag syntax: --=x"],
    [
      ["-c", "abc"],
      'invalid argument "abc" for "-c, --shares" flag: strconv.ParseInt: parsing "abc": invalid syntax',
    ],
    [
      ["--proxy=foo"],
      'invalid argument "foo" for "--proxy" flag: strconv.ParseBool: parsing "foo": invalid syntax',
    ],
  ];
  for (const [words, message] of refusals) {
    it(`are refused as Docker refuses them: ${words.join(" ")}`, () => {
      assert.throws(
        () => parse(words),
        (error) => error instanceof DvmError && error.code === "USAGE" && error.message === message,
      );
    });
  }

  it("of any kind give a result or a refusal, never another error", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 8 })), fc.boolean(), (words, interspersed) => {
        try {
          parse(words, interspersed);
        } catch (error) {
          assert.ok(error instanceof DvmError || error instanceof HelpRequest);
        }
      }),
    );
  });
});
