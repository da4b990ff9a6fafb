import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { TemplateDamaged, TemplateStore, type UnfinishedTemplate } from "./template-store.ts";

const root = mkdtempSync(join(tmpdir(), "dvm-template-store-"));
after(() => rmSync(root, { recursive: true }));
let count = 0;

const KEY = "0".repeat(32);
const keyOf = (number: number) => number.toString(16).padStart(32, "0");

async function write({ memory, state }: UnfinishedTemplate): Promise<void> {
  writeFileSync(memory, "memory");
  writeFileSync(state, "state");
}

/** A store with one template. */
async function stored() {
  const folder = join(root, `${count++}`);
  const store = new TemplateStore(folder);
  await store.save({ key: KEY, shape: "s" }, { about: "a" }, write);
  const at = (name: string) => join(folder, KEY, name);
  return { store, folder, at };
}

describe("TemplateStore", () => {
  it("has nothing where nothing was saved", async () => {
    const store = new TemplateStore(join(root, "nowhere"));
    assert.equal(await store.open(KEY), undefined);
    assert.deepEqual(await store.list(), []);
    assert.equal(await store.remove(KEY), false);
  });

  it("gives what was saved, at its beginning, even when it is removed meanwhile", async () => {
    const { store } = await stored();
    using template = await store.open(KEY);
    assert.equal(await store.remove(KEY), true);
    const buffer = Buffer.alloc(10);
    assert.equal(readSync(template?.stateFd ?? -1, buffer), 5);
    assert.equal(buffer.toString("latin1", 0, 5), "state");
    assert.equal(readFileSync(template?.memoryFd ?? -1, "utf8"), "memory");
  });

  it("is private to its user", async () => {
    const { folder, at } = await stored();
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, KEY)).mode & 0o777, 0o700);
    assert.equal(statSync(at("meta.json")).mode & 0o777, 0o600);
  });

  const damages: [string, (at: (name: string) => string) => void][] = [
    ["a state of other bytes", (at) => writeFileSync(at("state"), "stale")],
    ["a longer state", (at) => appendFileSync(at("state"), "x")],
    ["a missing state", (at) => rmSync(at("state"))],
    ["a shorter memory", (at) => truncateSync(at("memory"), 3)],
    ["a missing memory", (at) => rmSync(at("memory"))],
    [
      "a memory of other bytes with the times of the old one",
      (at) => {
        const { atime, mtime } = statSync(at("memory"));
        writeFileSync(at("memory"), "yromem");
        utimesSync(at("memory"), atime, mtime);
      },
    ],
    ["a description that is none", (at) => writeFileSync(at("meta.json"), '{"memory":1}')],
  ];
  for (const [what, damage] of damages) {
    it(`refuses ${what}`, async () => {
      const { store, at } = await stored();
      damage(at);
      await assert.rejects(store.open(KEY), TemplateDamaged);
    });
  }

  it("keeps nothing of a template that was not finished", async () => {
    const { store, folder } = await stored();
    const failing = store.save(
      { key: keyOf(1), shape: "t" },
      { about: "a" },
      async (unfinished) => {
        await write(unfinished);
        throw new Error("no");
      },
    );
    await assert.rejects(failing, /no/);
    assert.deepEqual(readdirSync(folder).sort(), [KEY, "lock"]);
  });

  it("removes what a process left that was killed", async () => {
    const { store, folder } = await stored();
    mkdirSync(join(folder, "new-left"));
    await store.save({ key: keyOf(1), shape: "t" }, { about: "a" }, write);
    assert.deepEqual(readdirSync(folder).sort(), [KEY, keyOf(1), "lock"]);
  });

  it("leaves a template to the process that is making one", async () => {
    const { store } = await stored();
    let inner: boolean | undefined;
    const outer = await store.save({ key: keyOf(1), shape: "t" }, { about: "a" }, async (it) => {
      await write(it);
      inner = await store.save({ key: keyOf(2), shape: "u" }, { about: "a" }, write);
    });
    assert.deepEqual([outer, inner], [true, false]);
  });

  it("replaces the templates of the same shape, and keeps a bounded number of others", async () => {
    const { store } = await stored();
    await store.save({ key: keyOf(1), shape: "s" }, { about: "b" }, write);
    assert.deepEqual(
      (await store.list()).map(({ key }) => key),
      [keyOf(1)],
    );
    for (let number = 2; number < 20; number++) {
      await store.save({ key: keyOf(number), shape: `${number}` }, { about: "c" }, write);
    }
    assert.equal((await store.list()).length, 8);
    assert.notEqual(await store.open(keyOf(19)), undefined);
  });
});
