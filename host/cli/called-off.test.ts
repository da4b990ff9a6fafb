import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { type Digest, digestOf } from "../image/digest.ts";
import { testConfig } from "../image/test-support/image-builder.ts";
import { tarStream } from "../image/test-support/tar-builder.ts";
import { TestUser, until } from "./test-dvm.ts";

/** A registry with one image, whose layer never comes to its end. */
async function stalledRegistry() {
  const tar = tarStream({ name: "big", data: randomBytes(4 << 20).toString("latin1") });
  const config = testConfig({ layers: [{ tar }] });
  const blob = (bytes: Buffer) => ({ digest: digestOf(bytes), size: bytes.length });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...blob(config) },
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...blob(tar) }],
    }),
  );
  const documents = new Map<string, Buffer>([
    [digestOf(config), config],
    [digestOf(manifest), manifest],
    ["latest", manifest],
  ]);
  const asked = Promise.withResolvers<void>();
  const server = createServer(({ url = "", method }, response) => {
    const name = url.slice(url.lastIndexOf("/") + 1);
    const document = documents.get(name);
    if (document !== undefined) {
      response.setHeader("Content-Type", "application/vnd.oci.image.manifest.v1+json");
      response.setHeader("Docker-Content-Digest", digestOf(document) satisfies Digest);
      response.setHeader("Content-Length", document.length);
      response.end(method === "HEAD" ? undefined : document);
    } else if (name === digestOf(tar)) {
      response.setHeader("Content-Length", tar.length);
      response.write(tar.subarray(0, tar.length / 2));
      asked.resolve();
    } else response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    image: `127.0.0.1:${port}/stalled`,
    /** settles when a half of the layer is on its way */
    half: asked.promise,
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("a pull that is called off", () => {
  test("by Ctrl-C ends when it is undone, and leaves nothing", async () => {
    using user = new TestUser();
    using registry = await stalledRegistry();
    const pull = user.start(["pull", registry.image]);
    await registry.half;
    pull.child.kill("SIGINT");
    const { code, out, err } = await pull.result;
    assert.deepEqual([code, out, err], [130, "", ""]);
    assert.deepEqual([...user.files("images/tmp"), ...user.files("images/layers/sha256")], []);
    assert.equal((await user.dvm(["images", "-q"])).out, "");
  });

  test("by the end of its client leaves nothing either", async () => {
    using user = new TestUser();
    using registry = await stalledRegistry();
    const pull = user.start(["pull", "-q", registry.image]);
    await registry.half;
    pull.child.kill("SIGKILL");
    await pull.result;
    await until("the end of the pull", () => user.files("images/tmp").length === 0);
  });

  test("by the end of its daemon is cleared away by the next one", async () => {
    using user = new TestUser();
    using registry = await stalledRegistry();
    const pull = user.start(["pull", "-q", registry.image]);
    await registry.half;
    process.kill(user.daemon ?? 0, "SIGKILL");
    const { code, err } = await pull.result;
    assert.equal(code, 1);
    assert.match(err, /dvmd/);
    await until("the end of the pull", () => user.files("images/tmp").length === 0);
    assert.equal((await user.dvm(["images", "-q"])).out, "");
  });
});
