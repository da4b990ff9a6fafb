import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { dockerArchive } from "../../image/test-support/image-builder.ts";
import { one, two, World } from "../../image/test-support/world.ts";
import { ImageEngine } from "./image-engine.ts";
import type { JobEvent } from "./image-job.ts";
import { ImageWorker } from "./image-worker.ts";

const PROGRAM = join(import.meta.dirname, "serve-image-jobs.ts");
const own = process.getuid?.() ?? 0;
const unaborted = new AbortController().signal;

/** Pids of the processes that this one has started. */
function children(): string[] {
  const text = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8");
  return text.split(" ").filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(PROGRAM);
    } catch {
      return false;
    }
  });
}

test("a job is done in a process of its own, which ends with the last one", async () => {
  using world = new World();
  const path = world.path("box.tar");
  writeFileSync(path, dockerArchive({ layers: [one, two] }, ["x/box:1"]));
  using worker = new ImageWorker(PROGRAM, world.path("data"));
  const events: JobEvent[] = [];
  const options = { onEvent: (event: JobEvent) => events.push(event), signal: unaborted };
  const job = { kind: "load", path } as const;
  const both = Promise.all([worker.run(own, job, options), worker.run(4242, job, options)]);
  assert.equal(children().length, 1);
  await both;
  const loaded = events.filter(({ kind }) => kind === "loaded");
  assert.equal(loaded.length, 2);
  const engine = await ImageEngine.open(world.path("data"));
  assert.deepEqual((await engine.for(4242).find("x/box:1")).names, ["docker.io/x/box:1"]);
  while (children().length > 0) await delay(20);
});

test("a refusal comes back as what it was", async () => {
  using world = new World();
  using worker = new ImageWorker(PROGRAM, world.path("data"));
  const options = { onEvent: () => {}, signal: unaborted };
  const job = { kind: "pull", name: "127.0.0.1:1/x", all: false, insecure: [] } as const;
  await assert.rejects(worker.run(own, job, options), {
    code: "REGISTRY_UNREACHABLE",
    exitCode: 125,
    hint: /check the host's name/,
    message: /cannot connect to registry 127\.0\.0\.1:1/,
  });
});

test("one that is aborted, or whose process is killed, ends, and leaves nothing", async () => {
  using world = new World();
  using worker = new ImageWorker(PROGRAM, world.path("data"));
  const options = { onEvent: () => {} };
  const path = world.path("box.tar");
  writeFileSync(path, dockerArchive({ layers: [one] }, ["x/box:1"]));
  const job = { kind: "load", path } as const;
  await assert.rejects(worker.run(own, job, { ...options, signal: AbortSignal.abort() }), {
    code: "LOAD_CANCELLED",
  });
  const lost = worker.run(own, job, { ...options, signal: unaborted });
  for (const pid of children()) process.kill(Number(pid), "SIGKILL");
  await assert.rejects(lost, /the process for images ended with SIGKILL/);
  await worker.run(own, job, { ...options, signal: unaborted });
  assert.deepEqual(readdirSync(join(world.path("data"), "images", "tmp")), []);
});
