/** Pulls and pushes through a real proxy, to names that only the proxy can resolve. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { digestOf } from "../digest.ts";
import { OCI_CONFIG, OCI_LAYER, OCI_MANIFEST } from "../media-type.ts";
import { parseNamed } from "../reference.ts";
import { testConfig } from "../test-support/image-builder.ts";
import { noRegistry, startRegistry, tool, USER } from "../test-support/real-registry.ts";
import { pullInto, testSession } from "../test-support/registry-world.ts";
import { startProxy } from "../test-support/test-proxy.ts";
import { layer, load, names, one, two, World } from "../test-support/world.ts";
import { pushImage } from "./push-image.ts";

const VARIABLES = ["http_proxy", "https_proxy", "no_proxy", "all_proxy"].flatMap((name) => [
  name,
  name.toUpperCase(),
]);

/** The environment's proxies for the length of a scope. */
function environment(settings: Readonly<Record<string, string>>): Disposable {
  for (const name of VARIABLES) delete process.env[name];
  Object.assign(process.env, settings);
  return {
    [Symbol.dispose]: () => {
      for (const name of VARIABLES) delete process.env[name];
    },
  };
}

const portOf = (host: string): number => Number(host.split(":")[1]);

describe("with a proxy in the environment", () => {
  const saved: Record<string, string | undefined> = {};
  before(() => {
    for (const name of VARIABLES) saved[name] = process.env[name];
  });
  after(() => {
    for (const [name, value] of Object.entries(saved))
      if (value !== undefined) process.env[name] = value;
  });

  test("a registry without TLS and one with it are reached through the proxy, push and pull", {
    skip: noRegistry,
  }, async () => {
    for (const tls of [false, true]) {
      using world = new World();
      await using registry = await startRegistry(world.path("registry"), { tls, users: true });
      const port = portOf(registry.host);
      await using proxy = await startProxy(new Map([["registry.test", port]]));
      using _ = environment({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url });
      const host = `registry.test:${port}`;
      const settings = { proxies: true, insecure: tls ? [] : [host], caFiles: [registry.caPath] };
      await using session = testSession(tls ? settings : { ...settings, caFiles: [] }, {
        credentials: USER,
      });
      const layout = world.layout();
      layout.list(layout.image({ layers: [one, two] }), { tag: "v1" });
      const store = await world.store();
      const reference = parseNamed(`${host}/image:v1`);
      {
        await using image = await load(`oci:${layout.path}`, store);
        await pushImage(image, { store, session, reference, onEvent: () => {} });
      }
      await store.prune();
      await using image = await pullInto(store, `${host}/image:v1`, session);
      assert.deepEqual(names(image), ["one", "two"]);
      assert.ok(proxy.asked.length > 0);
      assert.deepEqual(proxy.strangers, []);
      if (tls) assert.deepEqual([...new Set(proxy.asked)], [`CONNECT registry.test:${port}`]);
    }
  });

  test("NO_PROXY keeps a host from it, and loopback never goes there", {
    skip: noRegistry,
  }, async () => {
    using world = new World();
    await using registry = await startRegistry(world.path("registry"));
    await using proxy = await startProxy(new Map());
    using _ = environment({ HTTP_PROXY: proxy.url, NO_PROXY: "registry.test" });
    const layout = world.layout();
    layout.list(layout.image({ layers: [one] }), { tag: "v1" });
    const name = `${registry.host}/image:v1`;
    await tool(
      "skopeo",
      "copy",
      "--dest-tls-verify=false",
      `oci:${layout.path}:v1`,
      `docker://${name}`,
    );
    await using session = testSession({ proxies: true, insecure: ["registry.test"] });
    const store = await world.store();
    await using image = await pullInto(store, name, session);
    assert.deepEqual(names(image), ["one"]);
    await assert.rejects(pullInto(store, "registry.test/image:v1", session), {
      code: "REGISTRY_UNREACHABLE",
    });
    assert.deepEqual(proxy.asked, []);
  });

  test("neither the registry's credentials nor the proxy's reach the host of a redirect", async () => {
    using world = new World();
    const item = layer("redirected", "x".repeat(100_000));
    await using server = await redirectingRegistry(item);
    await using proxy = await startProxy(
      new Map([
        ["registry.test", server.port],
        ["blobs.test", server.port],
      ]),
    );
    using _ = environment({ HTTP_PROXY: proxy.url });
    await using session = testSession(
      { proxies: true, insecure: ["registry.test", "blobs.test"] },
      { credentials: { username: "me", password: "secret" } },
    );
    await using image = await pullInto(await world.store(), "registry.test/image:v1", session);
    assert.deepEqual(names(image), ["redirected"]);
    const credentials = (host: string): unknown[] => [
      ...new Set(
        server.seen
          .filter(({ headers }) => headers.host === host)
          .map(({ headers }) => headers.authorization),
      ),
    ];
    assert.deepEqual(credentials("blobs.test"), [undefined]);
    assert.ok(credentials("registry.test").includes(`Basic ${btoa("me:secret")}`));
    assert.ok(server.seen.every(({ headers }) => headers["proxy-authorization"] === undefined));
    assert.deepEqual(proxy.strangers, []);
  });
});

interface Redirecting extends AsyncDisposable {
  readonly port: number;
  readonly seen: IncomingMessage[];
}

/** A registry with basic auth that keeps its blobs at another host. */
async function redirectingRegistry(item: typeof one): Promise<Redirecting> {
  const config = testConfig({ layers: [item] });
  const blobs = [config, item.tar];
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
    layers: [{ mediaType: OCI_LAYER, digest: digestOf(item.tar), size: item.tar.length }],
  });
  const seen: IncomingMessage[] = [];
  const answer = (incoming: IncomingMessage, response: ServerResponse): void => {
    seen.push(incoming);
    const { url = "", headers } = incoming;
    const blob = blobs.find((bytes) => url.endsWith(digestOf(bytes)));
    if (headers.host === "blobs.test") response.end(blob);
    else if (headers.authorization === undefined)
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    else if (blob !== undefined)
      response.writeHead(307, { location: `http://blobs.test${url}` }).end();
    else response.end(manifest);
  };
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
