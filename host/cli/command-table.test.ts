import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Command } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { renderCommandHelp } from "./render/help.ts";

/** A command by the words that call it, and those of a family. */
async function* commands(): AsyncGenerator<readonly [string, string | undefined, Command]> {
  for (const [name, row] of Object.entries(commandTable)) {
    const command = await row.load();
    yield [name, row.summary, command];
    for (const [member, load] of Object.entries(command.members ?? {})) {
      yield [`${name} ${member}`, undefined, await load()];
    }
  }
}

describe("a command", () => {
  it("is called what its usage says, and has the summary that the list shows", async () => {
    for await (const [words, summary, command] of commands()) {
      const name = words.split(" ").at(-1) ?? "";
      const known = [name, { ls: "ps", rm: "rmi" }[name], name === "ls" ? "images" : name];
      assert.ok(known.includes(command.usage.split(" ")[0] ?? ""), `${words}: ${command.usage}`);
      if (summary !== undefined) assert.equal(command.summary, summary, words);
    }
  });

  it("has a help whose lines fit a terminal, and every flag a text", async () => {
    for await (const [words, , command] of commands()) {
      for (const line of renderCommandHelp(command, 80).split("\n").slice(4)) {
        assert.ok(line.length <= 80, `${words}: ${line}`);
      }
      for (const [name, flag] of Object.entries(command.flags)) {
        assert.ok(flag.hidden || flag.help !== "", `${words} --${name}`);
      }
    }
  });

  it("has no two flags of one letter", async () => {
    for await (const [words, , command] of commands()) {
      const letters = Object.values(command.flags).flatMap(({ short, hidden }) =>
        short === undefined || hidden ? [] : [short],
      );
      assert.equal(new Set(letters).size, letters.length, `${words}: ${letters.join("")}`);
    }
  });
});
