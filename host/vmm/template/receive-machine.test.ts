import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { filledRuns, receiveMachine } from "./receive-machine.ts";

const root = mkdtempSync(join(tmpdir(), "dvm-receive-"));
after(() => rmSync(root, { recursive: true }));
let machines = 0;

function message(state: Buffer, memory: Buffer, memoryLength = memory.length): Buffer {
  const header = Buffer.alloc(16);
  header.writeBigUInt64LE(BigInt(state.length), 0);
  header.writeBigUInt64LE(BigInt(memoryLength), 8);
  return Buffer.concat([header, state, memory]);
}

/** Sends pieces of these lengths, in turn, and nothing more. @param log with it, the stream ends */
async function receive(
  bytes: Buffer,
  lengths: readonly number[],
  {
    memoryLength = 8192,
    log,
    patience,
  }: { memoryLength?: number; log?: string; patience?: number } = {},
) {
  const folder = join(root, String(machines++));
  const files = { memory: `${folder}.memory`, state: `${folder}.state` };
  const source = new PassThrough();
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? bytes.length;
    source.write(bytes.subarray(at, at + length));
    at += length;
  }
  if (log !== undefined) source.end();
  const waits = patience === undefined ? {} : { patience };
  const options = { memoryLength, log: () => log ?? "", ...waits };
  try {
    await receiveMachine(source, files, options);
  } catch (error) {
    assert.equal(source.destroyed, log !== undefined || patience !== undefined);
    throw error;
  }
  assert.equal(source.destroyed, false);
  return { state: readFileSync(files.state), memory: readFileSync(files.memory), files };
}

describe("a machine that is received", () => {
  it("is the one that was sent, however it was cut, and its file has no pages of zeros", async () => {
    const memory = Buffer.alloc(1 << 20);
    memory.fill(7, 300_000, 310_000);
    const state = Buffer.from("a state");
    for (const lengths of [[1 << 21], [1, 2, 3, 65_536], [4096], [70_001]]) {
      const received = await receive(message(state, memory), lengths, {
        memoryLength: memory.length,
      });
      assert.ok(received.state.equals(state) && received.memory.equals(memory));
      const { blocks, mode } = statSync(received.files.memory);
      assert.ok(blocks * 512 <= 64 * 1024, `${blocks} blocks`);
      assert.equal(mode & 0o777, 0o600);
    }
  });

  it("is refused when it ends early, with what the log says, and when its memory is another", async () => {
    const before = readdirSync(root);
    for (const length of [0, 4096, 12_288, 2 ** 50]) {
      const other = message(Buffer.alloc(1), Buffer.alloc(0), length);
      await assert.rejects(receive(other, [100]), { code: "VMM_UNSUPPORTED" });
    }
    assert.deepEqual(readdirSync(root), before);
    const whole = message(Buffer.from("state"), Buffer.alloc(8192, 1));
    for (const length of [0, 10, 18, whole.length - 1]) {
      const cut = whole.subarray(0, length);
      await assert.rejects(receive(cut, [4096], { log: "before\na device\u0007 is busy\n" }), {
        code: "VMM_UNSUPPORTED",
        message: "a device? is busy",
      });
      await assert.rejects(receive(cut, [4096], { log: "" }), {
        message: /ended while it was saved/,
      });
    }
  });

  it("is given up when nothing more of it comes, and the source ends", async () => {
    const whole = message(Buffer.from("state"), Buffer.alloc(8192, 1));
    for (const length of [0, 18, whole.length - 1]) {
      await assert.rejects(receive(whole.subarray(0, length), [4096], { patience: 1 }), {
        code: "VMM_UNSUPPORTED",
      });
    }
  });
});

describe("the runs of a chunk that hold anything", () => {
  it("are whole pages of the file, and all that is not zero is in one", () => {
    fc.assert(
      fc.property(
        fc.nat(1 << 14),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 9000 }), fc.boolean()), { maxLength: 8 }),
        (position, parts) => {
          const chunk = Buffer.concat(
            parts.map(([length, isFilled]) => Buffer.alloc(length, isFilled ? 1 : 0)),
          );
          const runs = filledRuns(chunk, position);
          const copy = Buffer.alloc(chunk.length);
          for (const { from, to } of runs) chunk.copy(copy, from, from, to);
          assert.ok(copy.equals(chunk));
          for (const edge of runs.flatMap(({ from, to }) => [from, to])) {
            const isEnd = edge === 0 || edge === chunk.length;
            assert.ok(isEnd || (position + edge) % 4096 === 0);
          }
        },
      ),
    );
  });
});
