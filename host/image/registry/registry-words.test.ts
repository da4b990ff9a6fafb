import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { TestFolder } from "../test-support/image-builder.ts";
import { parseChallenges } from "./challenge.ts";
import { eraseCredentials, findCredentials, storeCredentials } from "./docker-config.ts";
import { isLoopback, readRegistrySettings } from "./registry-settings.ts";
import { backoff, retryAfter } from "./retry.ts";

const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString("base64") });

describe("challenges", () => {
  test("are read with their parameters, quoted or not, several in a header", () => {
    const header =
      'Basic realm="a, \\"b\\"", Bearer realm="https://x/t",service=reg,scope="repository:a:pull,push"';
    assert.deepEqual(
      parseChallenges(header).map(({ scheme, parameters }) => [
        scheme,
        Object.fromEntries(parameters),
      ]),
      [
        ["basic", { realm: 'a, "b"' }],
        ["bearer", { realm: "https://x/t", service: "reg", scope: "repository:a:pull,push" }],
      ],
    );
  });

  test("of any text are read to an end", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void parseChallenges(text)));
  });
});

describe("credentials", () => {
  test("count for the very host and port, whatever form their entry has", async () => {
    using folder = new TestFolder();
    const path = join(folder.path, "config.json");
    const auths = {
      "https://registry.example/v2/": auth("a:1"),
      "registry.example:5000": auth("b:2"),
      "https://index.docker.io/v1/": auth("hub:p:w"),
      "token.example": { ...auth("t:"), identitytoken: "id" },
    };
    writeFileSync(path, JSON.stringify({ auths }));
    assert.deepEqual(await findCredentials(path, "registry.example"), {
      username: "a",
      password: "1",
    });
    assert.deepEqual(await findCredentials(path, "registry.example:5000"), {
      username: "b",
      password: "2",
    });
    assert.deepEqual(await findCredentials(path, "docker.io"), {
      username: "hub",
      password: "p:w",
    });
    assert.deepEqual(await findCredentials(path, "token.example"), {
      username: "t",
      identityToken: "id",
    });
    for (const host of [
      "example",
      "evil-registry.example",
      "registry.example.evil",
      "registry.example:5001",
    ])
      assert.equal(await findCredentials(path, host), undefined);
  });

  test("are kept for their owner alone, beside what else the file says, and forgotten again", async () => {
    using folder = new TestFolder();
    const path = join(folder.path, "new/config.json");
    await storeCredentials(path, "r.example", { username: "u", password: "p" });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    writeFileSync(
      path,
      JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), psFormat: "x" }),
    );
    await storeCredentials(path, "docker.io", { username: "hub", password: "q" });
    assert.deepEqual(await findCredentials(path, "r.example"), { username: "u", password: "p" });
    assert.equal(await eraseCredentials(path, "r.example"), true);
    assert.equal(await eraseCredentials(path, "r.example"), false);
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(path, "utf8"))).sort(), [
      "auths",
      "psFormat",
    ]);
    assert.deepEqual(await findCredentials(path, "docker.io"), { username: "hub", password: "q" });
  });

  test("of a damaged file are refused", async () => {
    using folder = new TestFolder();
    const path = join(folder.path, "config.json");
    for (const text of ["{", '{"auths":1}', '{"auths":{"a.example":3}}', '{"credsStore":"../x"}']) {
      writeFileSync(path, text);
      await assert.rejects(findCredentials(path, "a.example"), { code: "CREDENTIALS_UNREADABLE" });
    }
  });
});

describe("settings", () => {
  test("come from the data root's file and from the environment", async () => {
    using folder = new TestFolder();
    mkdirSync(join(folder.path, "x"));
    const file = {
      version: 1,
      insecure: ["a:1"],
      mirrors: { "docker.io": ["https://m.example"] },
      ca: ["/a.crt"],
    };
    writeFileSync(join(folder.path, "registries.json"), JSON.stringify(file));
    const settings = await readRegistrySettings(folder.path, {
      DVM_INSECURE_REGISTRIES: "b:2, c:3",
      DVM_REGISTRY_CA: "/b.crt",
      DVM_REGISTRY_MIRRORS: "docker.io=http://n.example",
      DOCKER_CONFIG: "/docker",
    });
    assert.deepEqual(settings.insecure, ["a:1", "b:2", "c:3"]);
    assert.deepEqual(settings.caFiles, ["/a.crt", "/b.crt"]);
    assert.deepEqual(settings.mirrors.get("docker.io")?.map(String), [
      "https://m.example/",
      "http://n.example/",
    ]);
    assert.equal(settings.dockerConfig, "/docker/config.json");
    writeFileSync(join(folder.path, "registries.json"), "[]");
    await assert.rejects(readRegistrySettings(folder.path, {}), { code: "MANIFEST_INVALID" });
  });

  test("know this machine by its names and numbers only", () => {
    for (const host of ["localhost", "localhost:5000", "127.0.0.1:1", "127.9.9.9", "[::1]:5000"])
      assert.ok(isLoopback(host));
    for (const host of ["localhost.evil", "127.0.0.1.evil", "x127.0.0.1", "[::2]", "notlocalhost"])
      assert.ok(!isLoopback(host));
  });
});

test("waits double up to a bound, with jitter within a half; Retry-After is seconds or a date", () => {
  assert.deepEqual(
    [1, 2, 3, 20].map((tries) => backoff(tries, () => 0)),
    [125, 250, 500, 7500],
  );
  assert.deepEqual(
    [1, 2, 3, 20].map((tries) => backoff(tries, () => 1)),
    [250, 500, 1000, 15_000],
  );
  assert.equal(retryAfter("12"), 12_000);
  assert.equal(retryAfter("Thu, 01 Jan 1970 00:01:00 GMT", 10_000), 50_000);
  assert.equal(retryAfter("soon"), undefined);
});
