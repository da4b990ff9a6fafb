import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { answeredAddresses } from "./dns-answer.ts";
import { buildAnswer, parseQuestion, TYPE_A, TYPE_AAAA } from "./dns-message.ts";

const QUESTION = Buffer.from(
  "000701000001000000000000037777770474657374000001 0001".replace(" ", ""),
  "hex",
);
const question = parseQuestion(QUESTION) ?? assert.fail();

describe("the addresses of an answer", () => {
  it("are those of both families, with the time that they are good for", () => {
    const answer = buildAnswer(question, 0, [
      { type: TYPE_A, address: "1.2.3.4" },
      { type: TYPE_AAAA, address: "fd00::1" },
    ]);
    assert.deepEqual(answeredAddresses(answer), [
      { address: "1.2.3.4", lifetime: 5 },
      { address: "fd00::1", lifetime: 5 },
    ]);
  });

  it("are those behind an alias, too", () => {
    // www.test CNAME b.test, and b.test, by a pointer to the alias's data, A 9.9.9.9
    const alias = Buffer.from("c00c000500010000003c0008016204746573740 0".replace(" ", ""), "hex");
    const address = Buffer.from("c026000100010000003c000409090909", "hex");
    const head = Buffer.from(QUESTION);
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(2, 6);
    assert.deepEqual(answeredAddresses(Buffer.concat([head, alias, address])), [
      { address: "9.9.9.9", lifetime: 60 },
    ]);
  });

  it("are none when the message is cut short, and no bytes do harm", () => {
    const whole = buildAnswer(question, 0, [{ type: TYPE_A, address: "1.2.3.4" }]);
    for (let length = 0; length < whole.length; length++) {
      assert.equal(answeredAddresses(whole.subarray(0, length)), undefined);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void answeredAddresses(bytes)),
    );
  });
});
