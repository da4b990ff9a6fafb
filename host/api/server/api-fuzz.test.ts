import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import fc from "fast-check";
import { anyBody } from "../docker/arbitrary-body.ts";
import { createBody, resourceFields } from "../docker/create-body.ts";
import { networkConnectBody, networkCreateBody } from "../docker/network-json.ts";
import { any, object, type Schema } from "../docker/schema.ts";
import { apiRoutes } from "./api-routes.ts";
import type { Route } from "./router.ts";
import { execCreateBody, execStartBody } from "./routes/exec.ts";
import { testServer } from "./test-server.ts";

const BODIES: Readonly<Record<string, Schema>> = {
  "/containers/create": createBody,
  "/containers/{id}/update": object(resourceFields),
  "/containers/{id}/exec": execCreateBody,
  "/exec/{id}/start": execStartBody,
  "/commit": object({ Env: any }),
  "/networks/create": networkCreateBody,
  "/networks/{id}/connect": networkConnectBody,
};

/** Answers that go on until the client leaves. */
const ENDLESS = new Set(["/events", "/containers/{id}/stats", "/containers/{id}/wait"]);

const NAMES = [
  "all attach changes condition container detachKeys filters follow force fromImage fromSrc h limit link",
  "logs name names noOverwriteDirNonDir one-shot path pause platform ps_args quiet repo signal since size",
  "stderr stdin stdout stream t tag tail timestamps until v w",
].flatMap((line) => line.split(" "));

const value = fc.oneof(
  fc.constantFrom(
    "0",
    "1",
    "true",
    "false",
    "all",
    "-1",
    "1.5",
    "busybox",
    "web",
    "{}",
    '{"a":["b"]}',
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.json(),
);
const query = fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 4 });
const reference = fc.oneof(
  { weight: 4, arbitrary: fc.constant("web") },
  fc.string({ minLength: 1, maxLength: 10 }),
  fc.constantFrom("..", "%", "\0", "a/b", "é"),
);

interface Call {
  readonly route: Route;
  readonly path: string;
  readonly body: unknown;
}

function anyCall(route: Route): fc.Arbitrary<Call> {
  const schema = BODIES[route.pattern];
  const body = schema === undefined ? fc.constant(undefined) : anyBody(schema);
  return fc.tuple(reference, query, body).map(([name, values, given]) => {
    const path = route.pattern.replace(/\{\w+(?:\.\.\.)?\}/g, encodeURIComponent(name));
    return { route, path: `${path}?${new URLSearchParams(values)}`, body: given };
  });
}

/** The status, once the headers are there; the rest is not waited for where it has no end. */
async function statusOf(socketPath: string, { route, path, body }: Call): Promise<number> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const headers = { "Content-Type": "application/json" };
  const outgoing = request({ socketPath, method: route.method, path, headers, agent: false });
  outgoing.on("response", async (answer) => {
    if (ENDLESS.has(route.pattern) || route.hijacks) answer.destroy();
    else for await (const _ of answer);
    resolve(answer.statusCode ?? 0);
  });
  outgoing.on("error", reject);
  outgoing.end(text);
  return promise;
}

test("answers every request, however odd, by a status that is meant", async () => {
  const routes = apiRoutes.filter(({ pattern }) => !ENDLESS.has(pattern));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...routes).chain(anyCall), { maxLength: 6 }),
      async (calls) => {
        await using server = await testServer();
        const owner = { uid: process.getuid?.() ?? 0, gid: 0, pid: 1 };
        const config = { image: "busybox", command: ["sleep"], name: "web" };
        const { id } = await server.engine.create({ ...server.plainConfig, ...config }, owner);
        await server.engine.start(id);
        for (const call of calls) {
          const status = await statusOf(server.path, call);
          const isMeant = (status >= 200 && status < 500) || status === 501;
          assert.ok(isMeant, `${status} for ${call.route.method} ${call.path}`);
        }
        assert.deepEqual(server.failures, []);
      },
    ),
    { numRuns: 60 },
  );
});

test("answers odd requests that never end by themselves, and lets go of them", async () => {
  const endless = apiRoutes.filter(({ pattern }) => ENDLESS.has(pattern));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...endless).chain(anyCall), async (call) => {
      await using server = await testServer();
      const owner = { uid: process.getuid?.() ?? 0, gid: 0, pid: 1 };
      const config = { image: "busybox", command: ["sleep"], name: "web" };
      const { id } = await server.engine.create({ ...server.plainConfig, ...config }, owner);
      await server.engine.start(id);
      const path = call.path.replace(/stream=[^&]*/, "").replace(/condition=[^&]*/, "");
      const status = await statusOf(server.path, { ...call, path });
      assert.ok((status >= 200 && status < 500) || status === 501, `${status} for ${path}`);
      while (server.engine.held.waits > 0) await new Promise(setImmediate);
      assert.deepEqual(server.failures, []);
    }),
    { numRuns: 20 },
  );
});
