import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ContainerLog, logRotation } from "./container-log.ts";
import type { LogRequest } from "./model.ts";
import { readLog } from "./read-log.ts";

const ALL: LogRequest = {
  stdout: true,
  stderr: true,
  follow: false,
  signal: new AbortController().signal,
};

function folder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "dvm-log-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

function open(path: string, options: Readonly<Record<string, string>> = {}): ContainerLog {
  return new ContainerLog({
    folder: path,
    config: { driver: "json-file", options },
    onFailure: (error) => assert.fail(error),
  });
}

async function read(path: string, request: Partial<LogRequest> = {}): Promise<string[]> {
  const source = {
    path: join(path, "container.log"),
    isLive: () => false,
    changed: async () => {},
  };
  const texts: string[] = [];
  for await (const { stream, bytes } of readLog(source, { ...ALL, ...request })) {
    texts.push(`${stream}:${Buffer.from(bytes)}`);
  }
  return texts;
}

describe("a container's log", () => {
  it("has an entry in Docker's format for each line", () => {
    using at = folder();
    const log = open(at.path);
    log.begin();
    assert.equal(log.append("stdout", Buffer.from("one\ntwo\n")), 8);
    log.close();
    const [first = "", second = ""] = readFileSync(join(at.path, "container.log"), "utf8").split(
      "\n",
    );
    const { time, ...entry } = JSON.parse(first);
    assert.deepEqual(entry, { log: "one\n", stream: "stdout" });
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    assert.equal(JSON.parse(second).log, "two\n");
  });

  it("gives back any text as it was written, in entries of at most 16 KiB", async () => {
    const plain = fc.string({ maxLength: 30 });
    const odd = fc.string({ unit: "binary", maxLength: 10 });
    const long = fc.integer({ min: 16_000, max: 40_000 }).map((length) => "x".repeat(length));
    const line = fc.oneof({ weight: 6, arbitrary: plain }, odd, long);
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 20 }), async (lines) => {
        using at = folder();
        const log = open(at.path);
        log.begin();
        const text = lines.join("\n").toWellFormed();
        log.append("stdout", Buffer.from(text));
        log.finish("stdout");
        log.close();
        const entries = await read(at.path);
        const pieces = entries.map((entry) => entry.slice("stdout:".length));
        assert.equal(pieces.join(""), text);
        assert.ok(pieces.every((piece) => Buffer.byteLength(piece) <= 16 * 1024));
        assert.ok(pieces.every((piece) => !piece.slice(0, -1).includes("\n")));
      }),
      { numRuns: 50 },
    );
  });

  it("gives no credit for a line that is not over, and writes it when the stream ends", async () => {
    using at = folder();
    const log = open(at.path);
    log.begin();
    assert.equal(log.append("stdout", Buffer.from("half")), 0);
    assert.equal(log.append("stdout", Buffer.from(" done\nrest")), 10);
    assert.equal(log.finish("stdout"), 4);
    log.close();
    assert.deepEqual(await read(at.path), ["stdout:half done\n", "stdout:rest"]);
  });

  it("cuts a line without end into pieces that no character is cut by", async () => {
    using at = folder();
    const log = open(at.path);
    log.begin();
    const text = `x${"é".repeat(20_000)}`;
    log.append("stderr", Buffer.from(text));
    log.finish("stderr");
    log.close();
    const entries = await read(at.path);
    assert.equal(entries.map((entry) => entry.slice("stderr:".length)).join(""), text);
    assert.ok(entries.length > 1);
  });

  it("cuts off what a killed daemon wrote after the position, and goes on from there", async () => {
    using at = folder();
    const log = open(at.path);
    log.begin();
    log.append("stdout", Buffer.from("one\n"));
    log.close();
    // written, and killed before the position was
    appendFileSync(join(at.path, "container.log"), '{"log":"two\\n","stream":"stdout","ti');
    const next = open(at.path);
    assert.deepEqual(next.resume(), { stdout: 4, stderr: 0 });
    next.append("stdout", Buffer.from("two\n"));
    next.close();
    assert.deepEqual(await read(at.path), ["stdout:one\n", "stdout:two\n"]);
  });

  it("is rotated by size, and read over all its files", async () => {
    using at = folder();
    const log = open(at.path, { "max-size": "300", "max-file": "3" });
    log.begin();
    for (let line = 0; line < 20; line++) log.append("stdout", Buffer.from(`line ${line}\n`));
    log.close();
    assert.ok(existsSync(join(at.path, "container.log.2")));
    assert.ok(!existsSync(join(at.path, "container.log.3")));
    const entries = await read(at.path);
    assert.equal(entries.at(-1), "stdout:line 19\n");
    assert.ok(entries.length < 20 && entries.length > 3);
    assert.deepEqual(await read(at.path, { tail: 5 }), entries.slice(-5));
  });

  it("is read from its last lines, and by stream", async () => {
    using at = folder();
    const log = open(at.path);
    log.begin();
    log.append("stdout", Buffer.from("a\nb\n"));
    log.append("stderr", Buffer.from("c\n"));
    log.close();
    assert.deepEqual(await read(at.path, { tail: 2 }), ["stdout:b\n", "stderr:c\n"]);
    assert.deepEqual(await read(at.path, { tail: 0 }), []);
    assert.deepEqual(await read(at.path, { stdout: false }), ["stderr:c\n"]);
  });

  it("keeps nothing and yet knows how far it is with the driver none", () => {
    using at = folder();
    const log = new ContainerLog({
      folder: at.path,
      config: { driver: "none", options: {} },
      onFailure: (error) => assert.fail(error),
    });
    log.begin();
    assert.equal(log.append("stdout", Buffer.from("gone\n")), 5);
    log.close();
    assert.equal(log.path, undefined);
    assert.ok(!existsSync(join(at.path, "container.log")));
  });
});

describe("log rotation", () => {
  const cases: [Record<string, string>, number, number][] = [
    [{}, Number.POSITIVE_INFINITY, 1],
    [{ "max-size": "10k" }, 10_240, 1],
    [{ "max-size": "1.5m", "max-file": "3" }, 1_572_864, 3],
    [{ "max-size": "-1" }, Number.POSITIVE_INFINITY, 1],
  ];
  for (const [options, maxSize, maxFiles] of cases) {
    it(`reads ${JSON.stringify(options)}`, () => {
      assert.deepEqual(logRotation(options), { maxSize, maxFiles });
    });
  }
});
