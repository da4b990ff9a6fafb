import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf, hexOf } from "./digest.ts";
import type { LoadEvent } from "./load-image.ts";
import { DOCKER_LIST, OCI_INDEX, OCI_MANIFEST } from "./media-type.ts";
import { parsePlatform } from "./platform.ts";
import { dockerArchive, type TestLayer } from "./test-support/image-builder.ts";
import { tarStream } from "./test-support/tar-builder.ts";
import { layer, load, names, one, simple, three, two, World } from "./test-support/world.ts";

describe("loadImage", () => {
  test("loads a layout of plain, gzip and zstd layers, and finds its layers the next time", async () => {
    using world = new World();
    const layout = world.layout();
    layout.list(layout.image({ layers: [one, two, three] }), { tag: "v1" });
    const store = await world.store();
    const events: LoadEvent[] = [];
    await using image = await load(`oci:${layout.path}:v1`, store, {
      onEvent: (e) => events.push(e),
    });
    assert.deepEqual(names(image), ["one", "two", "three"]);
    assert.deepEqual(image.config.run.cmd, ["true"]);
    assert.equal(events.filter((event) => event.kind === "layer-done").length, 3);
    const again: LoadEvent[] = [];
    await using _ = await load(`oci:${layout.path}`, store, { onEvent: (e) => again.push(e) });
    assert.deepEqual(
      again.map(({ kind }) => kind),
      ["image", "layer-present", "layer-present", "layer-present"],
    );
  });

  test("reads a large layer on a thread of its own", async () => {
    using world = new World();
    const layout = world.layout();
    const big = layer("big", "0123456789abcdef".repeat(300_000));
    layout.list(layout.image({ layers: [big, one] }));
    await using image = await load(`oci:${layout.path}`, await world.store());
    assert.deepEqual(names(image), ["big", "one"]);
    const data = readFileSync(image.layers[0]?.dataPath ?? "");
    assert.equal(data.subarray(0, 4_800_000).toString(), "0123456789abcdef".repeat(300_000));
    assert.equal(digestOf(Buffer.concat([...(image.layers[0]?.tar() ?? [])])), digestOf(big.tar));
  });

  test("uses a layer that occurs twice in an image twice", async () => {
    using world = new World();
    const layout = world.layout();
    layout.list(layout.image({ layers: [one, two, one] }));
    await using image = await load(`oci:${layout.path}`, await world.store());
    assert.deepEqual(names(image), ["one", "two", "one"]);
  });

  test("follows nested indexes to the platform asked for", async () => {
    using world = new World();
    const layout = world.layout();
    const entry = (architecture: string, item: TestLayer): object => ({
      ...layout.image({ layers: [item], architecture }),
      platform: { os: "linux", architecture },
    });
    const attestation = {
      ...layout.image({ layers: [three] }),
      platform: { os: "unknown", architecture: "unknown" },
    };
    const inner = layout.document(OCI_INDEX, {
      schemaVersion: 2,
      manifests: [attestation, entry("arm64", one), entry("amd64", two)],
    });
    layout.list(layout.document(DOCKER_LIST, { schemaVersion: 2, manifests: [inner] }), {
      tag: "multi",
    });
    await using image = await load(`oci:${layout.path}:multi`, await world.store());
    assert.deepEqual(names(image), ["two"]);
  });

  test("loads docker archives, compressed ones too, by name, by place and alone", async () => {
    using world = new World();
    const archive = dockerArchive({ layers: [one, two] }, ["x/thing:v2"]);
    writeFileSync(world.path("a.tar"), archive);
    writeFileSync(world.path("a.tar.gz"), gzipSync(archive));
    writeFileSync(world.path("a.tar.zst"), zstdCompressSync(archive));
    const store = await world.store();
    for (const text of [
      "a.tar",
      "a.tar:x/thing:v2",
      "a.tar:docker.io/x/thing:v2",
      "a.tar:@0",
      "a.tar.gz",
      "a.tar.zst",
    ]) {
      await using image = await load(`docker-archive:${world.path(text)}`, store);
      assert.deepEqual(names(image), ["one", "two"]);
      assert.equal((await store.blobs.get(image.manifestDigest)).length > 0, true);
    }
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
  });

  const refused: readonly [string, string, (world: World) => string][] = [
    ["a folder that is not there", "SOURCE_UNREADABLE", (world) => `oci:${world.path("nothing")}`],
    ["a folder that is no layout", "SOURCE_UNREADABLE", (world) => `oci:${world.folder.path}`],
    [
      "an archive that is not there",
      "SOURCE_UNREADABLE",
      (world) => `docker-archive:${world.path("x")}`,
    ],
    [
      "an archive that is a folder",
      "SOURCE_UNREADABLE",
      (world) => `docker-archive:${world.folder.path}`,
    ],
    ["a tag that is not there", "IMAGE_NOT_FOUND", (world) => `${simple(world)}:v2`],
    [
      "a layout of two images without a tag",
      "IMAGE_AMBIGUOUS",
      (world) => {
        const layout = world.layout();
        layout.list(layout.image({ layers: [one] }), { tag: "a" });
        layout.list(layout.image({ layers: [two] }), { tag: "b" });
        return `oci:${layout.path}`;
      },
    ],
    [
      "an image of another architecture",
      "PLATFORM_UNAVAILABLE",
      (world) => {
        const layout = world.layout();
        layout.list(layout.image({ layers: [one], architecture: "s390x" }));
        return `oci:${layout.path}`;
      },
    ],
    [
      "an index without this platform",
      "PLATFORM_UNAVAILABLE",
      (world) => {
        const layout = world.layout();
        const image = layout.image({ layers: [one], architecture: "s390x" });
        layout.list(image, { platform: { os: "linux", architecture: "s390x" } });
        return `oci:${layout.path}`;
      },
    ],
    [
      "indexes that nest without end",
      "MANIFEST_INVALID",
      (world) => {
        const layout = world.layout();
        let inner: object = layout.image({ layers: [one] });
        for (let n = 0; n < 8; n++)
          inner = layout.document(OCI_INDEX, { schemaVersion: 2, manifests: [inner] });
        layout.list(inner);
        return `oci:${layout.path}`;
      },
    ],
    [
      "a manifest whose bytes are not its digest's",
      "DIGEST_MISMATCH",
      (world) => {
        const layout = world.layout();
        const image = layout.image({ layers: [one] });
        layout.list(image);
        const path = layout.blobPath(image.digest);
        writeFileSync(path, `${readFileSync(path, "utf8").slice(0, -1)} `);
        return `oci:${layout.path}`;
      },
    ],
    [
      "a layer blob that is missing",
      "SOURCE_UNREADABLE",
      (world) => {
        const layout = world.layout();
        layout.list(layout.image({ layers: [one] }));
        rmSync(layout.blobPath(digestOf(one.tar)));
        return `oci:${layout.path}`;
      },
    ],
    [
      "a layer blob that is cut off",
      "DIGEST_MISMATCH",
      (world) => {
        const layout = world.layout();
        layout.list(layout.image({ layers: [one] }));
        truncateSync(layout.blobPath(digestOf(one.tar)), 600);
        return `oci:${layout.path}`;
      },
    ],
    [
      "a large layer blob that is damaged",
      "DIGEST_MISMATCH",
      (world) => {
        const layout = world.layout();
        const big = layer("big", "x".repeat(5_000_000));
        layout.list(layout.image({ layers: [big] }));
        truncateSync(layout.blobPath(digestOf(big.tar)), 3_000_000);
        return `oci:${layout.path}`;
      },
    ],
    [
      "a manifest that names fewer layers than the config",
      "MANIFEST_INVALID",
      (world) => {
        const layout = world.layout();
        layout.list(
          layout.image({ layers: [one], config: { rootfs: { type: "layers", diff_ids: [] } } }),
        );
        return `oci:${layout.path}`;
      },
    ],
    [
      "an artifact that is no image",
      "NOT_AN_IMAGE",
      (world) => {
        const layout = world.layout();
        const config = {
          mediaType: "application/vnd.oci.empty.v1+json",
          ...layout.blob(Buffer.from("{}")),
        };
        layout.list(layout.document(OCI_MANIFEST, { schemaVersion: 2, config, layers: [] }));
        return `oci:${layout.path}`;
      },
    ],
    [
      "an archive that is cut off",
      "LAYER_CORRUPT",
      (world) => {
        const archive = dockerArchive({ layers: [layer("big", "x".repeat(100_000))] }, []);
        writeFileSync(world.path("a.tar"), archive.subarray(0, 90_000));
        return `docker-archive:${world.path("a.tar")}`;
      },
    ],
    [
      "an archive whose config is not the one it is named for",
      "DIGEST_MISMATCH",
      (world) => {
        const manifest = [{ Config: `${"0".repeat(64)}.json`, RepoTags: null, Layers: [] }];
        const archive = tarStream(
          { name: `${"0".repeat(64)}.json`, data: "{}" },
          { name: "manifest.json", data: JSON.stringify(manifest) },
        );
        writeFileSync(world.path("a.tar"), archive);
        return `docker-archive:${world.path("a.tar")}`;
      },
    ],
    [
      "a docker archive without a manifest",
      "SOURCE_UNREADABLE",
      (world) => {
        writeFileSync(world.path("a.tar"), tarStream({ name: "x" }));
        return `docker-archive:${world.path("a.tar")}`;
      },
    ],
  ];
  for (const [what, code, make] of refused) {
    test(`refuses ${what} and leaves nothing behind`, async () => {
      using world = new World();
      const store = await world.store();
      await assert.rejects(load(make(world), store), { code, exitCode: 125 });
      assert.deepEqual(readdirSync(world.path("store/tmp")), []);
      assert.deepEqual(await store.layers.list(), []);
    });
  }

  test("refuses a platform that this machine cannot run, in one sentence", async () => {
    using world = new World();
    await assert.rejects(
      load(simple(world), await world.store(), { platform: parsePlatform("linux/s390x") }),
      {
        code: "PLATFORM_UNAVAILABLE",
        message: /for linux\/s390x, this machine runs linux\//,
      },
    );
  });

  test("stops when it is cancelled and leaves nothing behind", async () => {
    using world = new World();
    const layout = world.layout();
    layout.list(layout.image({ layers: [layer("big", "x".repeat(8_000_000)), one] }));
    const store = await world.store();
    const controller = new AbortController();
    const onEvent = (event: LoadEvent): void => {
      if (event.kind === "layer-progress") controller.abort();
    };
    const loading = load(`oci:${layout.path}`, store, { signal: controller.signal, onEvent });
    await assert.rejects(loading, { code: "LOAD_CANCELLED" });
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
  });

  test("makes a layer again that was damaged in the store", async () => {
    using world = new World();
    const text = simple(world);
    const store = await world.store();
    await (await load(text, store))[Symbol.asyncDispose]();
    writeFileSync(world.path(`store/layers/sha256/${hexOf(digestOf(one.tar))}/data`), "");
    await using image = await load(text, store);
    assert.deepEqual(names(image), ["one"]);
    assert.equal(image.layers[0]?.dataLength, 4096);
  });
});
