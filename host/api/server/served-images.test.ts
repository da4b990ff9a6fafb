import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { EventBus } from "../../engine/daemon/event-bus.ts";
import { ImageEngine } from "../../engine/images/image-engine.ts";
import type { ImageJob } from "../../engine/images/image-job.ts";
import { runImageJob } from "../../engine/images/run-image-job.ts";
import { dockerArchive } from "../../image/test-support/image-builder.ts";
import { tarStream } from "../../image/test-support/tar-builder.ts";
import { one, World } from "../../image/test-support/world.ts";
import type { RegistryAuth } from "./daemon-model.ts";
import { ServedImages } from "./served-images.ts";

const own = process.getuid?.() ?? 0;

/** What a registry is shown when a user pulls with that header. */
async function shown(uid: number, auth?: RegistryAuth): Promise<unknown> {
  const jobs: ImageJob[] = [];
  const images = new ServedImages({
    images: {} as unknown as ImageEngine,
    runJob: async (_uid, job) => {
      jobs.push(job);
    },
    events: new EventBus(),
    containersOf: () => new Set(),
  });
  const { signal } = new AbortController();
  const listeners = { onProgress: () => {}, onPulled: () => {} };
  const options = { ...listeners, signal, ...(auth === undefined ? {} : { auth }) };
  await images.pull("image", { uid, gid: uid, pid: 1 }, options);
  const [job] = jobs;
  return job?.kind === "pull" ? job.credentials : job;
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

test("what happens to images is told in Docker's words, with whose they are", async () => {
  using world = new World();
  const engine = await ImageEngine.open(world.path("data"));
  const events = new EventBus();
  const images = new ServedImages({
    images: engine,
    runJob: (uid, job, options) => runImageJob(engine.for(uid), job, options),
    events,
    containersOf: () => new Set(),
  });
  const caller = { uid: own, gid: own, pid: 1 };
  const { signal } = new AbortController();
  const options = { onProgress: () => {}, signal };
  const archive = dockerArchive({ layers: [one] }, ["x/box:1"]);
  const [loaded] = await images.load(Readable.from([archive]), caller, options);
  const id = loaded?.id ?? "";
  await images.tag(id, caller, "y/box");
  await buffer(await images.save(["x/box:1"], caller, signal));
  await images.remove("y/box", caller, { force: false });
  await images.remove(id, caller, { force: false });
  const tar = Readable.from([tarStream({ name: "f" })]);
  const about = { name: "made:1", changes: [], message: "", signal };
  const made = await images.import(tar, caller, about);
  await images.prune([made], caller);
  const told: unknown[] = [];
  const until = BigInt(Date.now() + 1) * 1_000_000n;
  for await (const event of events.events({ since: 0n, until, signal })) {
    assert.deepEqual([event.type, event.owner], ["image", own]);
    told.push([event.action, event.id, event.attributes]);
  }
  const reclaimed = { reclaimed: "0" };
  assert.deepEqual(told, [
    ["load", id, { name: id }],
    ["tag", id, { name: "y/box:latest" }],
    ["save", id, { name: id }],
    ["untag", id, { name: id }],
    ["untag", id, { name: id }],
    ["delete", id, { name: id }],
    ["import", made, { name: made }],
    ["tag", made, { name: "made:1" }],
    ["untag", made, { name: made }],
    ["delete", made, { name: made }],
    ["prune", "", reclaimed],
  ]);
});
