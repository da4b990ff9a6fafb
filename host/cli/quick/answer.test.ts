import "./test-engine.ts";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Answer } from "./answer.ts";

const encoder = new TextEncoder();

/** The answer to bytes that come in pieces of those lengths, the last one repeated. */
function read(text: string, lengths: readonly number[], method = "GET"): Answer {
  const answer = new Answer(method);
  const bytes = encoder.encode(text);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[Math.min(turn, lengths.length - 1)] ?? 1;
    answer.push(bytes.slice(at, at + length));
    at += length;
  }
  return answer;
}

const pieces = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });
const body = fc.string({ unit: "binary", maxLength: 60 });
const HEAD = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n";

describe("an answer", () => {
  it("of a known length is whole when that is there, however it is cut", () => {
    fc.assert(
      fc.property(body, pieces, (text, lengths) => {
        const { length } = encoder.encode(text);
        const answer = read(`${HEAD}Content-Length: ${length}\r\n\r\n${text}`, lengths);
        assert.equal(answer.status, 201);
        assert.equal(answer.header("content-type"), "application/json");
        assert.ok(answer.isComplete);
        assert.equal(answer.text(), new TextDecoder().decode(encoder.encode(text)));
      }),
    );
  });

  it("in chunks is whole after the empty one", () => {
    fc.assert(
      fc.property(fc.array(body), pieces, (texts, lengths) => {
        const chunks = texts
          .filter((text) => text !== "")
          .map((text) => `${encoder.encode(text).length.toString(16)}\r\n${text}\r\n`);
        const start = `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunks.join("")}`;
        assert.ok(!read(start, lengths).isComplete);
        const answer = read(`${start}0\r\n\r\n`, lengths);
        assert.ok(answer.isComplete);
        assert.equal(answer.text(), new TextDecoder().decode(encoder.encode(texts.join(""))));
      }),
    );
  });

  it("tells its lines as soon as they are whole", () => {
    const answer = read(`${HEAD}Transfer-Encoding: chunked\r\n\r\n6\r\none\ntw\r\n`, [1000]);
    assert.equal(answer.text(), "one\n");
    answer.push(encoder.encode("2\r\no\n\r\n"));
    assert.equal(answer.text(), "two\n");
    assert.equal(answer.text(), "");
  });

  it("that upgrades the connection leaves what follows", () => {
    const answer = read("HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n\u0001rest", [1000]);
    assert.equal(answer.status, 101);
    assert.deepEqual([...answer.rest()], [1, ...encoder.encode("rest")]);
  });

  it("to HEAD has no body, whatever length it tells", () => {
    assert.ok(read(`${HEAD}Content-Length: 10\r\n\r\n`, [7], "HEAD").isComplete);
  });

  it("without a length lasts until the connection ends", () => {
    const answer = read(`${HEAD}\r\nall`, [1000]);
    assert.ok(!answer.isComplete);
    answer.end();
    assert.ok(answer.isComplete);
    assert.equal(answer.text(), "all");
  });

  it("without end, or of no sense, is refused", () => {
    assert.throws(
      () => read(`${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, [1000]),
      RangeError,
    );
    const endless = new Answer("GET");
    const piece = encoder.encode("a".repeat(2 ** 20));
    assert.throws(() => {
      for (let count = 0; count < 100; count++) endless.push(piece);
    }, RangeError);
  });
});
