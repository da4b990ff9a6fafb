import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { digestOf } from "../digest.ts";
import type { LoadEvent } from "../load-image.ts";
import { OCI_INDEX } from "../media-type.ts";
import { parseNamed } from "../reference.ts";
import { noRegistry, startRegistry, tool, USER } from "../test-support/real-registry.ts";
import { pullInto, testSession } from "../test-support/registry-world.ts";
import { layer, names, one, three, two, World } from "../test-support/world.ts";
import { findCredentials, storeCredentials } from "./docker-config.ts";
import { login } from "./login.ts";
import { pushImage } from "./push-image.ts";

const big = layer("big", "0123456789abcdef".repeat(200_000));

/** A layout of four layers under the tag `v1`; Docker's schema 2 has no zstd. */
function layoutOf(world: World, third = three): string {
  const layout = world.layout();
  layout.list(layout.image({ layers: [one, two, third, big] }), { tag: "v1" });
  return `oci:${layout.path}:v1`;
}

describe("a real registry", { skip: noRegistry }, () => {
  for (const [what, flags] of [
    ["OCI", []],
    ["Docker schema 2", ["--format", "v2s2"]],
    ["zstd", ["--dest-compress-format", "zstd", "--dest-compress"]],
  ] as const) {
    test(`gives the ${what} image that skopeo pushed, once over the wire`, async () => {
      using world = new World();
      await using registry = await startRegistry(world.path("registry"));
      const name = `${registry.host}/some/image:v1`;
      await tool(
        "skopeo",
        "copy",
        "--dest-tls-verify=false",
        ...flags,
        layoutOf(world, what === "Docker schema 2" ? layer("three") : three),
        `docker://${name}`,
      );
      await using session = testSession();
      const store = await world.store();
      await using image = await pullInto(store, name, session);
      assert.deepEqual(names(image), ["one", "two", "three", "big"]);
      const stated = await tool(
        "skopeo",
        "inspect",
        "--tls-verify=false",
        "--format",
        "{{.Digest}}",
        `docker://${name}`,
      );
      assert.equal(image.repositoryDigest, stated.trim());
      const again: LoadEvent[] = [];
      await using _ = await pullInto(store, name, session, {
        onEvent: (event) => again.push(event),
      });
      assert.deepEqual(
        again.slice(1).map(({ kind }) => kind),
        Array(4).fill("layer-present"),
      );
      assert.notEqual(await store.hold(`${registry.host}/some/image@${stated.trim()}`), undefined);
    });
  }

  test("gives the image of an index that is for this platform, under the index's digest", async () => {
    using world = new World();
    await using registry = await startRegistry(world.path("registry"));
    const layout = world.layout();
    const entry = (architecture: string, item: typeof one): object => ({
      ...layout.image({ layers: [item], architecture }),
      platform: { os: "linux", architecture },
    });
    const manifests = [entry("arm64", one), entry("amd64", two)];
    const index = layout.document(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
    layout.list(index, { tag: "v1" });
    const name = `${registry.host}/multi:v1`;
    await tool(
      "skopeo",
      "copy",
      "--all",
      "--dest-tls-verify=false",
      `oci:${layout.path}:v1`,
      `docker://${name}`,
    );
    await using session = testSession();
    await using image = await pullInto(await world.store(), name, session);
    assert.deepEqual(names(image), ["two"]);
    const raw = await tool("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`);
    assert.equal(image.repositoryDigest, digestOf(Buffer.from(raw)));
    assert.notEqual(image.manifestDigest, image.repositoryDigest);
  });

  test("takes an image back under its own digest, and into another repository without sending a layer", async () => {
    using world = new World();
    await using registry = await startRegistry(world.path("registry"));
    const name = `${registry.host}/a:v1`;
    await tool("skopeo", "copy", "--dest-tls-verify=false", layoutOf(world), `docker://${name}`);
    await using session = testSession();
    const store = await world.store();
    await using image = await pullInto(store, name, session);
    const kinds = new Set<string>();
    const push = (target: string) =>
      pushImage(image, {
        store,
        session,
        reference: parseNamed(`${registry.host}/${target}`),
        onEvent: ({ kind }) => kinds.add(kind),
      });
    assert.equal((await push("a:v1")).digest, image.manifestDigest);
    assert.equal((await push("b:v1")).digest, image.manifestDigest);
    assert.equal(kinds.has("progress"), false);
  });

  test("gets the same blobs for the same layers, which skopeo and umoci read", async () => {
    using world = new World();
    await using registry = await startRegistry(world.path("registry"));
    await using session = testSession();
    const layout = world.layout();
    layout.list(layout.image({ layers: [one, big] }), { tag: "v1" });
    const pushFrom = async (storeName: string, target: string) => {
      const { load } = await import("../test-support/world.ts");
      const { ImageStore } = await import("../image-store.ts");
      const store = await ImageStore.open(world.path(storeName));
      await using image = await load(`oci:${layout.path}:v1`, store);
      const reference = parseNamed(`${registry.host}/${target}`);
      return (await pushImage(image, { store, session, reference, onEvent: () => {} })).digest;
    };
    const first = await pushFrom("store-1", "x:1");
    assert.equal(await pushFrom("store-2", "y:1"), first);
    const copy = world.path("copy");
    await tool(
      "skopeo",
      "copy",
      "--src-tls-verify=false",
      `docker://${registry.host}/y:1`,
      `oci:${copy}:1`,
    );
    await tool("umoci", "unpack", "--rootless", "--image", `${copy}:1`, world.path("bundle"));
    assert.equal(readFileSync(world.path("bundle/rootfs/one"), "utf8"), "one");
    assert.equal(
      digestOf(readFileSync(world.path("bundle/rootfs/big"))),
      digestOf(Buffer.from("0123456789abcdef".repeat(200_000))),
    );
  });

  test("is spoken to by TLS: an unknown authority is refused, the host's own is taken", async () => {
    using world = new World();
    await using registry = await startRegistry(world.path("registry"), { tls: true });
    const name = `${registry.host}/image:v1`;
    await tool("skopeo", "copy", "--dest-tls-verify=false", layoutOf(world), `docker://${name}`);
    const store = await world.store();
    await using stranger = testSession();
    await assert.rejects(pullInto(store, name, stranger), { code: "REGISTRY_TLS" });
    const folder = world.path(`certs/${registry.host}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "ca.crt"), readFileSync(registry.caPath));
    await using session = testSession({ certificateFolders: [world.path("certs")] });
    await using image = await pullInto(store, name, session);
    assert.equal(image.layers.length, 4);
    await using other = testSession({ caFiles: [registry.caPath] });
    await using _ = await pullInto(store, name, other);
  });

  test("with users: refuses without credentials, takes those of config.json and of a helper", async () => {
    using world = new World();
    await using registry = await startRegistry(world.path("registry"), { users: true, tls: true });
    const name = `${registry.host}/image:v1`;
    const credentials = `--dest-creds=${USER.username}:${USER.password}`;
    await tool(
      "skopeo",
      "copy",
      "--dest-tls-verify=false",
      credentials,
      layoutOf(world),
      `docker://${name}`,
    );
    const caFiles = [registry.caPath];
    const store = await world.store();
    await using nobody = testSession({ caFiles });
    await assert.rejects(pullInto(store, name, nobody), { code: "REGISTRY_UNAUTHORIZED" });
    const dockerConfig = world.path("docker/config.json");
    await using wrong = testSession(
      { caFiles, dockerConfig },
      { credentials: { ...USER, password: "x" } },
    );
    await assert.rejects(login(registry.host, wrong), {
      code: "REGISTRY_UNAUTHORIZED",
    });
    assert.equal(await findCredentials(dockerConfig, registry.host), undefined);
    await using right = testSession({ caFiles, dockerConfig }, { credentials: USER });
    await login(registry.host, right);
    assert.equal(await storeCredentials(dockerConfig, registry.host, USER), undefined);
    await using stranger = testSession({ caFiles, dockerConfig }, { credentials: "none" });
    await assert.rejects(pullInto(store, name, stranger), { code: "REGISTRY_UNAUTHORIZED" });
    await using session = testSession({ caFiles, dockerConfig });
    await using image = await pullInto(store, name, session);
    const reference = parseNamed(`${registry.host}/mine:v1`);
    await pushImage(image, { store, session, reference, onEvent: () => {} });
  });
});

test("a credential helper is asked for the host, and its failure is told", async () => {
  using world = new World();
  mkdirSync(world.path("bin"));
  const helper = world.path("bin/docker-credential-dvmtest");
  writeFileSync(
    helper,
    `#!/bin/sh
read -r server
case $1:$server in
  get:good.example:5000) printf '{"ServerURL":"x","Username":"u","Secret":"s"}' ;;
  get:token.example) printf '{"ServerURL":"x","Username":"<token>","Secret":"t"}' ;;
  get:bad.example) echo broken; exit 1 ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`,
  );
  chmodSync(helper, 0o755);
  const path = world.path("config.json");
  writeFileSync(
    path,
    JSON.stringify({
      credsStore: "dvmtest",
      credHelpers: { "gone.example": "dvm-no-such-helper" },
    }),
  );
  const before = process.env.PATH;
  process.env.PATH = `${world.path("bin")}:${before}`;
  try {
    assert.deepEqual(await findCredentials(path, "good.example:5000"), {
      username: "u",
      password: "s",
    });
    assert.deepEqual(await findCredentials(path, "token.example"), { identityToken: "t" });
    assert.equal(await findCredentials(path, "good.example"), undefined);
    await assert.rejects(findCredentials(path, "bad.example"), { code: "CREDENTIALS_UNREADABLE" });
    await assert.rejects(findCredentials(path, "gone.example"), { code: "CREDENTIALS_UNREADABLE" });
  } finally {
    process.env.PATH = before;
  }
});
