import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { VolumeStore } from "./volume-store.ts";

let dataRoot: string;
let store: VolumeStore;

beforeEach(() => {
  dataRoot = mkdtempSync(join(tmpdir(), "dvm-volume-store-"));
  store = new VolumeStore(dataRoot);
});
afterEach(() => rmSync(dataRoot, { recursive: true, force: true }));

function container(id: string): string {
  mkdirSync(join(dataRoot, "containers", id), { recursive: true });
  return id;
}

test("a volume is made once, whoever asks at the same time", async () => {
  const others = Array.from({ length: 5 }, () => new VolumeStore(dataRoot));
  const made = await Promise.all(others.map((each) => each.create({ name: "one" })));
  assert.equal(new Set(made.map(({ created }) => created)).size, 1);
  assert.deepEqual(readdirSync(join(dataRoot, "volumes")), ["one"]);
  assert.ok(statSync(store.find("one").path).isDirectory());
});

test("names that would be paths, or none, are refused", async () => {
  for (const name of ["", "a", "..", "../x", "a/b", ".hidden", "a\0b", "a".repeat(129), "ä1"]) {
    await assert.rejects(store.create({ name }), { code: "VOLUME_INVALID" }, JSON.stringify(name));
    assert.throws(() => store.find(name), { code: "NO_SUCH_VOLUME" });
    await assert.rejects(store.remove(name), { code: "NO_SUCH_VOLUME" });
  }
  assert.equal(existsSync(join(dataRoot, "volumes")), false);
});

test("a volume that a container has is not removed, and one whose container is gone is", async () => {
  const id = container("c1");
  await store.use(id, { name: "used" });
  assert.deepEqual(store.find("used").users, [id]);
  await assert.rejects(store.remove("used"), { code: "VOLUME_IN_USE" });
  assert.deepEqual((await store.prune(() => true)).names, []);
  rmSync(join(dataRoot, "containers", id), { recursive: true });
  await store.remove("used");
  assert.deepEqual(store.list(), []);
});

test("volumes without a name go with their last container, when it is removed with them", async () => {
  const [first, second] = [container("c1"), container("c2")];
  const { name } = await store.use(first, {});
  await store.use(second, { name });
  await store.use(first, { name: "named" });
  await store.release(first, { removeAnonymous: true });
  assert.deepEqual(store.find(name).users, [second]);
  await store.release(second, { removeAnonymous: true });
  assert.deepEqual(
    store.list().map((each) => each.name),
    ["named"],
  );
  const kept = await store.use(first, {});
  await store.release(first, { removeAnonymous: false });
  assert.deepEqual(store.find(kept.name).users, []);
});

test("another user's volume is as good as none, and its name is free", async () => {
  const theirs = await store.create({ name: "data", owner: 4242 });
  assert.throws(() => store.find("data", 1), { code: "NO_SUCH_VOLUME" });
  await assert.rejects(store.remove("data", { uid: 1 }), { code: "NO_SUCH_VOLUME" });
  assert.equal(await store.remove("data", { uid: 1, force: true }), undefined);
  assert.deepEqual((await store.prune(() => true, 1)).names, []);
  assert.deepEqual(store.list(1), []);
  assert.equal(store.find("data", 0).path, theirs.path);
  const mine = await store.create({ name: "data", owner: 1 });
  assert.notEqual(mine.path, theirs.path);
  assert.equal(store.find("data", 1).path, mine.path);
  await store.remove("data", { uid: 1 });
  assert.equal(store.find("data", 4242).path, theirs.path);
});

test("what root calls by a name is not what another user has put there under it", async () => {
  const theirs = await store.create({ name: "data", owner: 4242 });
  const used = await store.use(container("roots"), { name: "data", owner: 0 });
  assert.notEqual(used.path, theirs.path);
  assert.equal(store.find("data", 0).path, used.path);
  assert.equal(store.at(theirs.path)?.owner, 4242);
});

test("a user's folder of the host is not another's to have by a volume", async () => {
  const device = { type: "none", o: "bind", device: "/etc" };
  await assert.rejects(store.create({ name: "etc", options: device, owner: 1, isForeign: true }), {
    message: "device /etc cannot be shared by a daemon of another user",
  });
});

test("removal follows no link, and takes nothing of a folder that is elsewhere", async () => {
  const outside = join(dataRoot, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "f"), "");
  const { path } = await store.create({ name: "links" });
  symlinkSync(outside, join(path, "link"));
  await store.create({ name: "elsewhere", options: { type: "none", o: "bind", device: outside } });
  assert.equal((await store.prune(() => true)).names.length, 2);
  assert.ok(existsSync(join(outside, "f")));
});

test("a disk has the size that is asked for and takes little room", async () => {
  const options = { type: "disk", size: "64m" };
  const disk = await store.create({ name: "disk", options });
  assert.equal(statSync(disk.path).size, 64 * 1024 ** 2);
  assert.ok((await store.size(disk)) < 4 * 1024 ** 2);
});

test("options that no volume has are refused by name", async () => {
  const refusals: [Record<string, string>, RegExp][] = [
    [{ type: "nfs", o: "addr=x", device: ":/" }, /type "nfs"/],
    [{ size: "1g" }, /as a disk only/],
    [{ type: "disk", size: "1k" }, /below/],
    [{ type: "disk", size: "big" }, /invalid size/],
    [{ type: "disk", device: "/x" }, /no options o and device/],
    [{ type: "none", o: "bind", device: "relative" }, /no absolute path/],
    [{ color: "red" }, /invalid option: "color"/],
  ];
  for (const [options, message] of refusals) {
    await assert.rejects(store.create({ name: "none", options }), { message });
  }
  await assert.rejects(store.create({ name: "none", driver: "nfs" }), /plugin not found/);
});
