import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import type { Daemon } from "../../engine/daemon/daemon.ts";
import { EventBus } from "../../engine/daemon/event-bus.ts";
import type { ImageEngine, TransferRequest } from "../../engine/images/image-engine.ts";
import type { RegistryAuth } from "./daemon-model.ts";
import { ServedEngine } from "./served-engine.ts";

const own = process.getuid?.() ?? 0;

/** What a registry is shown when a user pulls with that header. */
async function shown(uid: number, auth?: RegistryAuth): Promise<unknown> {
  const requests: TransferRequest[] = [];
  const pull = async (name: string, request: TransferRequest) => {
    requests.push(request);
    return { name, id: "", digest: "", isNew: false };
  };
  const engine = new ServedEngine({
    daemon: { events: new EventBus() } as unknown as Daemon,
    images: { pull } as unknown as ImageEngine,
    version: "0",
    dataRoot: "/nonexistent",
  });
  const { signal } = new AbortController();
  const options = { onProgress: () => {}, signal, ...(auth === undefined ? {} : { auth }) };
  await engine.pullImage("image", { uid, gid: uid, pid: 1 }, options);
  return requests[0]?.credentials;
}

test("the daemon's credentials for registries are for its own user and root alone", async () => {
  assert.equal(await shown(own), undefined);
  assert.equal(await shown(own, {}), undefined);
  assert.equal(await shown(0), undefined);
  assert.equal(await shown(own + 1), "none");
  assert.equal(await shown(own + 1, {}), "none");
  const auth = { username: "me", password: "secret" };
  assert.deepEqual(await shown(own + 1, auth), auth);
});

test("what images are called is not another user's to say", async () => {
  const engine = new ServedEngine({
    daemon: { events: new EventBus(), get: () => ({}) } as unknown as Daemon,
    images: {} as unknown as ImageEngine,
    version: "0",
    dataRoot: "/nonexistent",
  });
  const stranger = { uid: own + 1, gid: 1, pid: 1 };
  const { signal } = new AbortController();
  const change = { name: "busybox", changes: [], message: "", signal };
  const commit = { name: "busybox", author: "", comment: "", changes: [], pause: false };
  const tar = Readable.from([]);
  for (const attempt of [
    () => engine.tagImage("sha256:0", stranger, "busybox"),
    () => engine.removeImage("busybox", stranger, { force: true }),
    () => engine.pruneImages([], stranger),
    () => engine.loadImages(tar, stranger, { onProgress: () => {}, signal }),
    () => engine.importImage(tar, stranger, change),
    () => engine.commit("id", stranger, commit),
  ]) {
    await assert.rejects(attempt, { code: "FORBIDDEN" });
  }
});
