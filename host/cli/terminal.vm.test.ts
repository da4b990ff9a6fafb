import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { DVM, TestUser, until } from "./test-dvm.ts";

/** A terminal of tmux in which dvm runs; disposing of it ends both. */
class TestTerminal implements Disposable {
  readonly #socket: string;

  constructor(user: TestUser, command: string) {
    this.#socket = join(user.folder, "tmux");
    const env = { ...user.environment, TERM: "xterm", SHELL: "/bin/sh" };
    const size = ["-x", "90", "-y", "30"];
    const session = ["-f", "/dev/null", "new-session", "-d", ...size, command];
    execFileSync("tmux", ["-S", this.#socket, ...session], { env });
    this.#tmux("set-option", "-g", "remain-on-exit", "on");
  }

  /** Types text, or presses keys by tmux's names. */
  press(...keys: string[]): void {
    this.#tmux("send-keys", ...keys);
  }

  line(text: string): void {
    this.#tmux("send-keys", "-l", text);
    this.press("Enter");
  }

  resize(columns: number, rows: number): void {
    this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  get screen(): string {
    return this.#tmux("capture-pane", "-p");
  }

  shows(pattern: RegExp): Promise<void> {
    return until(`${pattern} on the screen`, () => pattern.test(this.screen)).catch((error) => {
      throw new Error(`${error.message}; the screen is\n${this.screen}`);
    });
  }

  [Symbol.dispose](): void {
    this.#tmux("kill-server");
  }

  #tmux(...words: string[]): string {
    return execFileSync("tmux", ["-S", this.#socket, ...words], { encoding: "utf8" });
  }
}

/** A shell line that runs dvm between two looks at the terminal's settings. */
function shell(user: TestUser, words: string): string {
  const [before, after] = ["before", "after"].map((name) => join(user.folder, name));
  // Ctrl-C is for dvm: the shell carries on
  return `trap : INT; stty -a > ${before}; ${DVM} ${words}; echo ended with $?; stty -a > ${after}; sleep 1000`;
}

describe("a container on a terminal", () => {
  it("has its size, follows its changes, gets its keys, and leaves it as it was", async () => {
    using user = new TestUser();
    using terminal = new TestTerminal(user, shell(user, "run --rm -it busybox sh"));
    await terminal.shows(/^\/ #/m);
    terminal.line("stty size; tty; echo $TERM");
    await terminal.shows(/^30 90\n\/dev\/pts\/0\nxterm$/m);
    terminal.resize(70, 20);
    await until("the new size", () => {
      terminal.line("stty size");
      return /^20 70$/m.test(terminal.screen);
    });
    terminal.line("echo go; sleep 1000");
    // a key that comes while the shell still edits its line is a character, not an interrupt
    await terminal.shows(/^go$/m);
    terminal.press("C-c");
    terminal.line("echo interrupted: $?");
    await terminal.shows(/^interrupted: 130$/m);
    terminal.line("exit 5");
    await terminal.shows(/^ended with 5$/m);
    await until("the settings", () => readFileSync(join(user.folder, "after"), "utf8") !== "");
    const [before, after] = ["before", "after"].map((name) =>
      readFileSync(join(user.folder, name), "utf8").replace(/rows \d+; columns \d+/, ""),
    );
    assert.equal(after, before);
    assert.deepEqual(user.leftovers(), []);
  });

  it("runs vi and top", async () => {
    using user = new TestUser();
    using terminal = new TestTerminal(user, shell(user, "run --rm -it busybox sh"));
    await terminal.shows(/^\/ #/m);
    terminal.line("vi /tmp/note");
    await terminal.shows(/\/tmp\/note/);
    await terminal.shows(/^~$/m);
    terminal.line("ifirst line");
    terminal.press("second");
    terminal.press("Escape");
    // vi waits a moment to tell the key from the start of a sequence
    await terminal.shows(/^- \/tmp\/note \[Modified\]/m);
    terminal.line(":wq");
    await terminal.shows(/^\/ # *$/m);
    terminal.line("clear; cat /tmp/note");
    await terminal.shows(/first line\nsecond/);
    terminal.line("top");
    await terminal.shows(/^Load average: .*\n +PID +PPID USER/m);
    terminal.press("q");
    terminal.line("exit");
    await terminal.shows(/^ended with 0$/m);
  });

  it("can be interrupted while it starts", async () => {
    using user = new TestUser();
    using terminal = new TestTerminal(user, shell(user, "run --rm -it --verbose busybox sh"));
    await terminal.shows(/vm-spawn/);
    terminal.press("C-c");
    await terminal.shows(/(^|\^C)ended with 130$/m);
    assert.deepEqual(user.leftovers(), []);
  });

  it("ends with its terminal", async () => {
    using user = new TestUser();
    {
      using terminal = new TestTerminal(user, shell(user, "run --rm -it busybox sh"));
      await terminal.shows(/^\/ #/m);
    }
    await until("the container's end", () => user.leftovers().length === 0);
  });
});
