/** What a real registry will not do on demand. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MockAgent } from "undici";
import { type Digest, digestOf } from "../digest.ts";
import { OCI_CONFIG, OCI_LAYER, OCI_MANIFEST } from "../media-type.ts";
import { parseNamed } from "../reference.ts";
import { testConfig } from "../test-support/image-builder.ts";
import { pullInto, testSession } from "../test-support/registry-world.ts";
import { layer, names, one, World } from "../test-support/world.ts";
import type { RegistrySession } from "./registry-session.ts";

const ORIGIN = "https://registry.example";
const NAME = "registry.example/some/image:v1";
const big = layer("big", "0123456789".repeat(30_000));

interface Image {
  readonly manifest: Buffer;
  readonly blobs: ReadonlyMap<Digest, Buffer>;
  readonly layerDigest: Digest;
}

function imageOf(item = big): Image {
  const config = testConfig({ layers: [item] });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
      layers: [{ mediaType: OCI_LAYER, digest: digestOf(item.tar), size: item.tar.length }],
    }),
  );
  const layerDigest = digestOf(item.tar);
  return {
    manifest,
    layerDigest,
    blobs: new Map([
      [digestOf(config), config],
      [layerDigest, item.tar],
    ]),
  };
}

interface Request {
  readonly method: string;
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Answer {
  readonly statusCode: number;
  readonly data?: string | Buffer;
  readonly responseOptions?: { readonly headers: Record<string, string> };
}

/** A registry whose every answer the test may replace. */
class MockRegistry {
  readonly requests: Request[] = [];
  readonly waits: number[] = [];
  readonly #agent = new MockAgent();
  readonly #image: Image;
  readonly #replace: (request: Request, earlier: number) => Answer | undefined;

  constructor(image: Image, replace: (request: Request, earlier: number) => Answer | undefined) {
    this.#image = image;
    this.#replace = replace;
    this.#agent.disableNetConnect();
    for (const origin of [
      ORIGIN,
      "https://blobs.example",
      "https://tokens.example",
      "https://mirror.example",
    ])
      for (const method of ["GET", "HEAD", "POST"])
        this.#agent
          .get(origin)
          .intercept({ path: () => true, method })
          .reply((options) => this.#answer(origin, options))
          .persist();
  }

  session(
    settings: Parameters<typeof testSession>[0] = {},
    credentials?: { username: string; password: string },
  ): RegistrySession {
    return testSession(settings, {
      dispatcherFor: () => Promise.resolve(this.#agent),
      sleep: (milliseconds) => {
        this.waits.push(milliseconds);
        return Promise.resolve();
      },
      ...(credentials === undefined ? {} : { credentials }),
    });
  }

  #answer(
    origin: string,
    options: { path: string; method: string; headers?: unknown },
  ): Answer & { data: string | Buffer } {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries((options.headers ?? {}) as object))
      headers[name.toLowerCase()] = String(value);
    const request = { origin, path: options.path, method: options.method, headers };
    const earlier = this.requests.filter(
      ({ path, origin: from }) => path === request.path && from === origin,
    ).length;
    this.requests.push(request);
    return { data: "", ...(this.#replace(request, earlier) ?? this.#usual(request)) };
  }

  #usual({ path }: Request): Answer {
    if (path.includes("/manifests/")) return { statusCode: 200, data: this.#image.manifest };
    const digest = /\/blobs\/(sha256:[0-9a-f]+)/.exec(path)?.[1];
    const blob = digest === undefined ? undefined : this.#image.blobs.get(digest as Digest);
    return blob === undefined ? { statusCode: 404 } : { statusCode: 200, data: blob };
  }
}

const isLayer = (image: Image, { path }: Request): boolean => path.endsWith(image.layerDigest);

describe("pulling", () => {
  test("waits as long as a 429 asks for, and goes on", async () => {
    using world = new World();
    const registry = new MockRegistry(imageOf(), ({ path }, earlier) =>
      path.includes("/manifests/") && earlier < 2
        ? { statusCode: 429, responseOptions: { headers: { "retry-after": "7" } } }
        : undefined,
    );
    await using session = registry.session();
    await using image = await pullInto(await world.store(), NAME, session);
    assert.deepEqual(names(image), ["big"]);
    assert.deepEqual(registry.waits, [7000, 7000]);
  });

  test("gives up on a 429 that asks for an hour, and on a server that stays down", async () => {
    using world = new World();
    const store = await world.store();
    const busy = new MockRegistry(imageOf(), () => ({
      statusCode: 429,
      responseOptions: { headers: { "retry-after": "3600" } },
    }));
    await using first = busy.session();
    await assert.rejects(pullInto(store, NAME, first), { code: "REGISTRY_RATE_LIMITED" });
    assert.equal(busy.requests.length, 1);
    const down = new MockRegistry(imageOf(), () => ({ statusCode: 503 }));
    await using second = down.session();
    await assert.rejects(pullInto(store, NAME, second), { code: "REGISTRY_FAILED" });
    assert.equal(down.requests.length, 6);
    for (const [n, wait] of down.waits.entries())
      assert.ok(wait >= 125 * 2 ** n && wait <= 250 * 2 ** n);
  });

  test("goes on where a cut-off layer stopped, by a range", async () => {
    using world = new World();
    const image = imageOf();
    const registry = new MockRegistry(image, (request) => {
      if (!isLayer(image, request)) return undefined;
      const from = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const data = big.tar.subarray(from, from + 100_000);
      if (from === 0) return { statusCode: 200, data };
      return {
        statusCode: 206,
        data,
        responseOptions: {
          headers: { "content-range": `bytes ${from}-${big.tar.length - 1}/${big.tar.length}` },
        },
      };
    });
    await using session = registry.session();
    await using pulled = await pullInto(await world.store(), NAME, session);
    assert.deepEqual(names(pulled), ["big"]);
    const ranges = registry.requests
      .filter((request) => isLayer(image, request))
      .map(({ headers }) => headers.range);
    assert.deepEqual(ranges, [undefined, "bytes=100000-", "bytes=200000-", "bytes=300000-"]);
  });

  test("passes over the beginning when a registry knows no ranges", async () => {
    using world = new World();
    const image = imageOf();
    const registry = new MockRegistry(image, (request, earlier) =>
      isLayer(image, request) && earlier === 0
        ? { statusCode: 200, data: big.tar.subarray(0, 70_000) }
        : undefined,
    );
    await using session = registry.session();
    await using pulled = await pullInto(await world.store(), NAME, session);
    assert.deepEqual(names(pulled), ["big"]);
  });

  const refused: readonly [
    string,
    string,
    (request: Request, image: Image) => Answer | undefined,
  ][] = [
    [
      "a layer that stays cut off",
      "DIGEST_MISMATCH",
      (request, image) =>
        isLayer(image, request)
          ? { statusCode: request.headers.range ? 416 : 200, data: "abc" }
          : undefined,
    ],
    [
      "a layer that is another",
      "DIGEST_MISMATCH",
      (request, image) =>
        isLayer(image, request)
          ? { statusCode: 200, data: Buffer.alloc(big.tar.length) }
          : undefined,
    ],
    [
      "a layer that goes on too long",
      "DIGEST_MISMATCH",
      (request, image) =>
        isLayer(image, request)
          ? { statusCode: 200, data: Buffer.concat([big.tar, big.tar]) }
          : undefined,
    ],
    [
      "a config that is another",
      "DIGEST_MISMATCH",
      (request, image) =>
        request.path.includes("/blobs/") && !isLayer(image, request)
          ? { statusCode: 200, data: "{}" }
          : undefined,
    ],
    [
      "a manifest that is not the one the registry states",
      "DIGEST_MISMATCH",
      ({ path }, image) =>
        path.includes("/manifests/")
          ? {
              statusCode: 200,
              data: image.manifest,
              responseOptions: { headers: { "docker-content-digest": digestOf(Buffer.from("x")) } },
            }
          : undefined,
    ],
    [
      "a manifest of 100 MB",
      "REGISTRY_PROTOCOL",
      ({ path }) =>
        path.includes("/manifests/")
          ? { statusCode: 200, data: Buffer.alloc(100_000_000, 0x20) }
          : undefined,
    ],
    [
      "a manifest that is not JSON",
      "MANIFEST_INVALID",
      ({ path }) =>
        path.includes("/manifests/") ? { statusCode: 200, data: "<html>" } : undefined,
    ],
    [
      "Docker's schema 1",
      "NOT_AN_IMAGE",
      ({ path }) =>
        path.includes("/manifests/")
          ? { statusCode: 200, data: '{"schemaVersion":1,"name":"x"}' }
          : undefined,
    ],
    [
      "redirects without end",
      "REGISTRY_PROTOCOL",
      ({ path }) => ({ statusCode: 307, responseOptions: { headers: { location: `${path}x` } } }),
    ],
    [
      "a redirect to plain HTTP",
      "REGISTRY_PROTOCOL",
      () => ({
        statusCode: 307,
        responseOptions: { headers: { location: "http://blobs.example/x" } },
      }),
    ],
    [
      "a 403",
      "REGISTRY_DENIED",
      () => ({ statusCode: 403, data: '{"errors":[{"code":"DENIED","message":"not yours"}]}' }),
    ],
    ["a 401 without a challenge", "REGISTRY_UNAUTHORIZED", () => ({ statusCode: 401 })],
    [
      "a token server in plain HTTP",
      "REGISTRY_PROTOCOL",
      () => ({
        statusCode: 401,
        responseOptions: {
          headers: { "www-authenticate": 'Bearer realm="http://tokens.example/t"' },
        },
      }),
    ],
  ];
  for (const [what, code, replace] of refused) {
    test(`refuses ${what} and leaves nothing behind`, async () => {
      using world = new World();
      const image = imageOf();
      const registry = new MockRegistry(image, (request) => replace(request, image));
      const store = await world.store();
      await using session = registry.session();
      await assert.rejects(pullInto(store, NAME, session), { code });
      assert.deepEqual(await store.layers.list(), []);
      assert.deepEqual(await store.list(), []);
    });
  }

  test("carries credentials to no other host than the registry and its token server", async () => {
    using world = new World();
    const image = imageOf();
    const registry = new MockRegistry(image, (request) => {
      if (request.origin === "https://tokens.example")
        return { statusCode: 200, data: '{"token":"abc","expires_in":300}' };
      if (request.origin === "https://blobs.example") return { statusCode: 200, data: big.tar };
      if (request.headers.authorization !== "Bearer abc")
        return {
          statusCode: 401,
          responseOptions: {
            headers: {
              "www-authenticate":
                'Bearer realm="https://tokens.example/token",service="registry.example"',
            },
          },
        };
      if (isLayer(image, request))
        return {
          statusCode: 307,
          responseOptions: { headers: { location: "https://blobs.example/signed?x=1" } },
        };
      return undefined;
    });
    await using session = registry.session({}, { username: "me", password: "secret" });
    await using pulled = await pullInto(await world.store(), NAME, session);
    assert.deepEqual(names(pulled), ["big"]);
    const at = (origin: string) => registry.requests.filter((request) => request.origin === origin);
    assert.deepEqual(
      at("https://tokens.example").map(({ path, headers }) => [path, headers.authorization]),
      [
        [
          "/token?service=registry.example&scope=repository%3Asome%2Fimage%3Apull&account=me",
          `Basic ${Buffer.from("me:secret").toString("base64")}`,
        ],
      ],
    );
    assert.deepEqual(
      at("https://blobs.example").map(({ headers }) => headers.authorization),
      [undefined],
    );
  });

  test("asks for another token when the one it has is refused", async () => {
    using world = new World();
    let valid = 1;
    let given = 0;
    const image = imageOf();
    const registry = new MockRegistry(image, (request) => {
      if (request.origin === "https://tokens.example")
        return { statusCode: 200, data: JSON.stringify({ access_token: `t${++given}` }) };
      // The first token expires once the manifest was got.
      if (request.path.includes("/blobs/")) valid = 2;
      if (request.headers.authorization === `Bearer t${valid}`) return undefined;
      return {
        statusCode: 401,
        responseOptions: {
          headers: { "www-authenticate": 'Bearer realm="https://tokens.example/t"' },
        },
      };
    });
    await using session = registry.session();
    await using pulled = await pullInto(await world.store(), NAME, session);
    assert.deepEqual(names(pulled), ["big"]);
    assert.equal(given, 2);
  });

  test("asks a mirror first, and the registry when the mirror has nothing", async () => {
    using world = new World();
    for (const has of [true, false]) {
      const registry = new MockRegistry(imageOf(one), ({ origin }) =>
        origin === "https://mirror.example" && !has ? { statusCode: 404 } : undefined,
      );
      const mirrors = new Map([["registry.example", [new URL("https://mirror.example/cache/")]]]);
      await using session = registry.session({ mirrors });
      const store = await world.store();
      await using _ = await pullInto(store, NAME, session);
      assert.equal(registry.requests[0]?.origin, "https://mirror.example");
      assert.equal(registry.requests[0]?.path, "/cache/v2/some/image/manifests/v1");
      assert.equal(
        registry.requests.some(({ origin }) => origin === ORIGIN),
        !has,
      );
    }
  });

  test("asks Docker Hub where its registry is", async () => {
    const session = testSession();
    assert.equal(
      (await session.origin(parseNamed("busybox").domain)).base.href,
      "https://registry-1.docker.io/",
    );
    await session[Symbol.asyncDispose]();
  });
});
