import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseConfig } from "./config.ts";
import { parseIndex, parseManifest } from "./manifest.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
} from "./media-type.ts";

const digest = `sha256:${"1".repeat(64)}`;
const descriptor = (mediaType: string, more: object = {}): object => ({
  mediaType,
  digest,
  size: 5,
  ...more,
});
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const manifest = (more: object = {}): Buffer =>
  json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(OCI_CONFIG),
    layers: [descriptor(`${OCI_LAYER}+gzip`)],
    ...more,
  });

describe("parseManifest", () => {
  test("reads an OCI manifest, with and without its media type", () => {
    for (const mediaType of [OCI_MANIFEST, undefined]) {
      const parsed = parseManifest(manifest({ mediaType }), "m");
      assert.equal(parsed.kind, "manifest");
      assert.equal(parsed.kind === "manifest" && parsed.layers.length, 1);
    }
  });

  test("reads Docker's schema 2 and its lists", () => {
    const docker = manifest({
      mediaType: DOCKER_MANIFEST,
      config: descriptor(DOCKER_CONFIG),
      layers: [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip")],
    });
    assert.equal(parseManifest(docker, "m").kind, "manifest");
    const list = json({
      schemaVersion: 2,
      mediaType: DOCKER_LIST,
      manifests: [
        descriptor(DOCKER_MANIFEST, {
          platform: { os: "linux", architecture: "arm64", variant: "v8" },
        }),
      ],
    });
    const parsed = parseIndex(list, "i");
    assert.deepEqual(parsed.manifests[0]?.platform, {
      os: "linux",
      architecture: "arm64",
      variant: "",
    });
  });

  const refused: readonly [string, Buffer, string][] = [
    ["what is not JSON", Buffer.from("{"), "MANIFEST_INVALID"],
    [
      "what is not UTF-8",
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
      "MANIFEST_INVALID",
    ],
    ["an array", json([]), "MANIFEST_INVALID"],
    ["no schema version", json({ layers: [] }), "MANIFEST_INVALID"],
    ["schema version 1", json({ schemaVersion: 1 }), "NOT_AN_IMAGE"],
    ["neither index nor manifest", json({ schemaVersion: 2 }), "MANIFEST_INVALID"],
    ["both index and manifest", manifest({ manifests: [] }), "MANIFEST_INVALID"],
    [
      "a manifest that calls itself an index",
      manifest({ mediaType: OCI_INDEX }),
      "MANIFEST_INVALID",
    ],
    ["another media type", manifest({ mediaType: "text/plain" }), "NOT_AN_IMAGE"],
    [
      "an artifact's config",
      manifest({ config: descriptor("application/vnd.oci.empty.v1+json") }),
      "NOT_AN_IMAGE",
    ],
    [
      "a layer that is no file tree",
      manifest({ layers: [descriptor("application/wasm")] }),
      "NOT_AN_IMAGE",
    ],
    [
      "an encrypted layer",
      manifest({ layers: [descriptor(`${OCI_LAYER}+gzip+encrypted`)] }),
      "NOT_AN_IMAGE",
    ],
    [
      "a digest of another kind",
      manifest({ layers: [descriptor(OCI_LAYER, { digest: "md5:1" })] }),
      "MANIFEST_INVALID",
    ],
    [
      "a digest with a path in it",
      manifest({ config: descriptor(OCI_CONFIG, { digest: "sha256:../../etc" }) }),
      "MANIFEST_INVALID",
    ],
    [
      "a negative size",
      manifest({ layers: [descriptor(OCI_LAYER, { size: -1 })] }),
      "MANIFEST_INVALID",
    ],
    [
      "a fractional size",
      manifest({ layers: [descriptor(OCI_LAYER, { size: 1.5 })] }),
      "MANIFEST_INVALID",
    ],
    ["layers that are no list", manifest({ layers: {} }), "MANIFEST_INVALID"],
    [
      "more layers than the limit",
      manifest({ layers: Array(1025).fill(descriptor(OCI_LAYER)) }),
      "MANIFEST_INVALID",
    ],
    [
      "annotations that are no strings",
      manifest({ layers: [descriptor(OCI_LAYER, { annotations: { a: 1 } })] }),
      "MANIFEST_INVALID",
    ],
    [
      "nesting past the limit",
      Buffer.from("[".repeat(100_000) + "]".repeat(100_000)),
      "MANIFEST_INVALID",
    ],
    ["a document past the limit", manifest({ x: "x".repeat(4 << 20) }), "MANIFEST_INVALID"],
  ];
  for (const [what, bytes, code] of refused) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseManifest(bytes, "m"), { code });
    });
  }

  test("never does more to arbitrary JSON than refuse it", () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(OCI_MANIFEST, OCI_INDEX, undefined), (text, type) => {
        try {
          parseManifest(Buffer.from(text), "m", type);
        } catch (error) {
          assert.match((error as { code: string }).code, /^(MANIFEST_INVALID|NOT_AN_IMAGE)$/);
        }
      }),
    );
  });
});

describe("parseConfig", () => {
  const config = (more: object = {}): Buffer =>
    json({
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: [digest] },
      ...more,
    });

  test("reads what a container runs", () => {
    const parsed = parseConfig(
      config({
        config: {
          User: "1:2",
          Env: ["A=b"],
          Entrypoint: ["/e"],
          Cmd: null,
          WorkingDir: "/w",
          Labels: { a: "b" },
          ExposedPorts: { "80/tcp": {} },
          Volumes: { "/v": {} },
          StopSignal: "SIGUSR1",
          Healthcheck: { Test: ["CMD", "x"], Interval: 1e9, Retries: 3 },
        },
        history: [{ created_by: "x", empty_layer: true }, {}],
      }),
      "c",
      1,
    );
    assert.equal(parsed.run.user, "1:2");
    assert.deepEqual(parsed.run.entrypoint, ["/e"]);
    assert.equal(parsed.run.cmd, undefined);
    assert.deepEqual(parsed.run.exposedPorts, ["80/tcp"]);
    assert.deepEqual(parsed.run.volumes, ["/v"]);
    assert.equal(parsed.run.healthcheck?.retries, 3);
    assert.equal(parsed.history[0]?.emptyLayer, true);
  });

  test("takes a config without a config section for one of defaults", () => {
    assert.deepEqual(parseConfig(config(), "c", 1).run.env, []);
  });

  const refused: readonly [string, Buffer][] = [
    ["what is not JSON", Buffer.from("not json")],
    ["no rootfs", json({ os: "linux" })],
    ["another number of diff IDs than layers", config({ rootfs: { diff_ids: [digest, digest] } })],
    ["a diff ID that is no digest", config({ rootfs: { diff_ids: ["sha256:x"] } })],
    ["a command that is a string", config({ config: { Cmd: "ls" } })],
    ["a NUL in the environment", config({ config: { Env: ["A=\0"] } })],
    ["labels that are no strings", config({ config: { Labels: { a: [] } } })],
    ["another kind of rootfs", config({ rootfs: { type: "tree", diff_ids: [digest] } })],
  ];
  for (const [what, bytes] of refused) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseConfig(bytes, "c", 1), { code: "MANIFEST_INVALID" });
    });
  }
});
