import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { TestUser } from "./test-dvm.ts";
import { onTerminal } from "./test-pty.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

/** The line between two looks at the terminal's settings, which must be the same. */
const watched = (line: string) =>
  `stty -g >"$DVM_DATA_ROOT.before"; ${line}; echo "code $?"; stty -g | cmp - "$DVM_DATA_ROOT.before" && echo restored`;

describe("a terminal of dvm run", () => {
  it("brings the container's bytes as they are: no carriage return more, no line feed less", async () => {
    const script = "stty -onlcr; printf 'a\\nb\\n'; stty onlcr; echo c";
    const out = await onTerminal(user, watched(`"$DVM" run --rm -q -it busybox sh -c "${script}"`));
    assert.match(out, /^a\nb\nc\r\ncode 0\r\nrestored\r\n/);
  });

  it("ends a program's input at Ctrl-D and interrupts one at Ctrl-C", async () => {
    const script = "echo first; cat; sh -c 'echo second; exec sleep 1000'; echo third \\$?";
    const out = await onTerminal(
      user,
      watched(`"$DVM" run --rm -q -it busybox sh -c "trap : INT; ${script}"`),
      [
        ["first\r\n", "typed\r"],
        ["typed\r\ntyped\r\n", "\x04"],
        ["second\r\n", "\x03"],
      ],
    );
    assert.match(out, /\^Cthird 130\r\ncode 0\r\nrestored\r\n/);
  });

  it("is given back by a dvm that is told to end", async () => {
    const pid = join(user.folder, "pid");
    const script = "trap : TERM; echo ready; while :; do sleep 1; done";
    const run = `exec "$DVM" run --rm -q -it busybox sh -c "${script}"`;
    const terminate = async () => {
      for (const _ of [1, 2, 3]) {
        process.kill(Number(readFileSync(pid, "utf8")), "SIGTERM");
        await setTimeout(300);
      }
    };
    const out = await onTerminal(user, watched(`bash -c 'echo $$ >"${pid}"; ${run}'`), [
      ["ready\r\n", terminate],
    ]);
    assert.match(out, /dvm: forcefully ending the container\r\ncode 143\r\nrestored\r\n/);
    assert.deepEqual(user.leftovers(), []);
  });

  it("is given back by a dvm that cannot run the command", async () => {
    const out = await onTerminal(user, watched('"$DVM" run --rm -q -it busybox nosuch'));
    assert.match(out, /^dvm: exec: "nosuch".*\r\n {2}hint: .*\r\ncode 127\r\nrestored\r\n/);
  });

  it("can be the output's alone", async () => {
    const out = await onTerminal(
      user,
      'stty rows 17 columns 71; "$DVM" run --rm -q -t busybox sh -c "tty; stty size" </dev/null; true',
    );
    // as with Docker the terminal stays in its own mode then, and adds its own carriage returns
    assert.match(out, /^\/dev\/pts\/0\r+\n17 71\r+\n$/);
  });
});
