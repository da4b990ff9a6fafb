import assert from "node:assert/strict";
import { test } from "node:test";
import { testServer } from "../server/test-server.ts";
import { storeRoot } from "./store-root.ts";

test("the data root of a daemon whose folder is not ours to use is refused in words", async () => {
  await using server = await testServer();
  const about = await server.engine.info();
  const options = { dataRoot: undefined, host: `unix://${server.path}`, environment: {} };
  server.engine.info = async () => ({ ...about, dataRoot: "/nonexistent" });
  await assert.rejects(storeRoot(options), { code: "FORBIDDEN", message: /\/nonexistent/ });
  server.engine.info = async () => ({ ...about, dataRoot: import.meta.dirname });
  assert.equal(await storeRoot(options), import.meta.dirname);
});
