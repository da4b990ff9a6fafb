import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DvmError } from "./errors.ts";
import { printableText } from "./printable-text.ts";

describe("printable text", () => {
  it("spells out what a terminal would obey", () => {
    assert.equal(
      printableText("a\u001b[2Jb\r\u0007\u009b1m\u007f"),
      "a\\x1b[2Jb\\x0d\\x07\\x9b1m\\x7f",
    );
    assert.equal(printableText("safe\u202egpj.exe"), "safe\\u202egpj.exe");
  });

  it("leaves lines, tabs and letters of any script as they are", () => {
    const text = "größe\tнет\n漢字 👍";
    assert.equal(printableText(text), text);
  });

  it("lets no control character through", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        assert.doesNotMatch(printableText(text), /[^\P{Cc}\t\n]/u);
      }),
    );
  });

  it("is how every error reads", () => {
    assert.equal(
      new DvmError("X", "no such user: \u001b[31mroot").message,
      "no such user: \\x1b[31mroot",
    );
  });
});
