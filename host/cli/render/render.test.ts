import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DvmError } from "../../errors.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, listFlag, valueFlag } from "../parse/flag-set.ts";
import { humanDuration } from "./age.ts";
import { renderChecks } from "./checks.ts";
import { exitCodeOf, renderError } from "./error.ts";
import { renderCommandHelp } from "./help.ts";
import { renderTable } from "./table.ts";
import { renderVersion } from "./version.ts";

describe("help", () => {
  it("reads like Docker's", () => {
    const help = renderCommandHelp(
      {
        usage: "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
        summary: "Create and run a new container from an image",
        flags: {
          tty: booleanFlag({ short: "t", help: "Allocate a pseudo-TTY" }),
          env: listFlag({ short: "e", help: "Set environment variables", parse: String }),
          "memory-swap": valueFlag({
            placeholder: "bytes",
            help: "Swap limit equal to memory plus swap: '-1' to enable unlimited swap",
            parse: Number,
          }),
          "sig-proxy": booleanFlag({ help: "Proxy received signals", initial: true }),
        },
        run: async () => 0,
      },
      60,
    );
    assert.equal(
      help,
      `Usage:  dvm run [OPTIONS] IMAGE [COMMAND] [ARG...]

Create and run a new container from an image

Options:
  -e, --env list            Set environment variables
      --memory-swap bytes   Swap limit equal to memory plus
                            swap: '-1' to enable unlimited
                            swap
      --sig-proxy           Proxy received signals (default
                            true)
  -t, --tty                 Allocate a pseudo-TTY
`,
    );
  });
});

describe("an error", () => {
  const command = {
    name: "run",
    usage: "Usage:  dvm run [OPTIONS] IMAGE [COMMAND] [ARG...]",
    runsContainer: true,
  };

  it("of the flags shows the usage line and ends with 125", () => {
    const error = cliError("USAGE", "unknown flag: --bogus");
    assert.equal(
      renderError(error, command),
      `unknown flag: --bogus

Usage:  dvm run [OPTIONS] IMAGE [COMMAND] [ARG...]

Run 'dvm run --help' for more information
`,
    );
    assert.equal(exitCodeOf(error, command), 125);
  });

  it("of the arguments ends with 1", () => {
    const error = cliError("ARGUMENTS", "'dvm run' requires at least 1 argument");
    assert.match(
      renderError(error, command),
      /^dvm: 'dvm run' requires at least 1 argument\n\nUsage/,
    );
    assert.equal(exitCodeOf(error, command), 1);
  });

  it("of a lower layer shows message and hint, and keeps Docker's exit code", () => {
    const options = { exitCode: 127, hint: "install it" };
    const error = new DvmError("COMMAND_NOT_FOUND", 'exec: "x": not found', options);
    assert.equal(renderError(error, command), 'dvm: exec: "x": not found\n  hint: install it\n');
    assert.equal(exitCodeOf(error, command), 127);
    assert.equal(exitCodeOf(error, { name: "rm" }), 1);
  });

  it("shows its causes when asked to", () => {
    const cause = new Error("EIO", { cause: new Error("disk") });
    const error = new DvmError("X", "cannot write", { exitCode: 125, cause });
    assert.equal(renderError(error, command), "dvm: cannot write\n");
    assert.equal(
      renderError(error, { ...command, verbose: true }),
      "dvm: cannot write\n  cause: EIO\n  cause: disk\n",
    );
  });

  it("that nobody expected says that it is a defect, and where", () => {
    const text = renderError(new TypeError("undefined is not a function"), command);
    assert.match(
      text,
      /^dvm: undefined is not a function\n {2}hint: this is a defect in dvm\n {4}at /,
    );
    assert.equal(exitCodeOf(new TypeError("x"), command), 125);
  });

  it("of an interruption is silent and ends with 128 plus the signal", () => {
    const error = new DvmError("INTERRUPTED", "interrupted", { exitCode: 143 });
    assert.equal(renderError(error, command), "");
    assert.equal(exitCodeOf(error, command), 143);
  });
});

describe("a table", () => {
  it("pads every column but the last", () => {
    assert.equal(renderTable(["ID", "NAMES"], [["abcdef", "x"]]), "ID       NAMES\nabcdef   x\n");
  });

  it("spells out what a terminal would obey, and keeps a cell in its line", () => {
    const text = renderTable(["A", "B"], [["\u001b[2Jx\ny", "z"]]);
    assert.equal(text, "A            B\n\\x1b[2Jx y   z\n");
  });
});

describe("an age", () => {
  const minute = 60_000;
  const cases: [number, string][] = [
    [-5, "Less than a second"],
    [1000, "1 second"],
    [59_000, "59 seconds"],
    [61_000, "About a minute"],
    [59 * minute, "59 minutes"],
    [60 * minute, "About an hour"],
    [47 * 60 * minute, "47 hours"],
    [3 * 24 * 60 * minute, "3 days"],
    [15 * 24 * 60 * minute, "2 weeks"],
    [100 * 24 * 60 * minute, "3 months"],
    [800 * 24 * 60 * minute, "2 years"],
  ];
  for (const [milliseconds, text] of cases) {
    it(`of ${milliseconds} ms is "${text}"`, () => assert.equal(humanDuration(milliseconds), text));
  }
});

describe("the doctor's report", () => {
  it("shows verdicts and what mends them", () => {
    const text = renderChecks({
      version: 1,
      ok: false,
      checks: [
        { name: "node", status: "ok", detail: "Node 24.12.0" },
        { name: "qemu", status: "fail", detail: "not found", mend: "install it" },
      ],
    });
    assert.equal(
      text,
      `ok    node  Node 24.12.0
fail  qemu  not found
            mend: install it

1 ok, 0 to look at, 1 failed
`,
    );
  });
});

describe("the version", () => {
  it("says what is not there", () => {
    const text = renderVersion({
      version: "1.2.3",
      node: "24.12.0",
      protocol: 1,
      platform: "linux/amd64",
    });
    assert.equal(
      text,
      `dvm:
 Version:           1.2.3
 Node version:      24.12.0
 Protocol:          1
 Guest kernel:      not built
 QEMU:              not found
 OS/Arch:           linux/amd64

Server:
 Version:           none runs
`,
    );
  });
});
