/** Makes images for tests: OCI layouts and docker archives from layers given as tar streams. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestOf, hexOf } from "../digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from "../media-type.ts";
import { tarStream } from "./tar-builder.ts";

/** A temporary folder that goes with its scope. */
export class TestFolder implements Disposable {
  readonly path: string;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), "dvm-image-test-"));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface TestLayer {
  readonly tar: Buffer;
  /** the layer as it is stored; its tar stream unless given */
  readonly blob?: Buffer;
}

export interface TestImage {
  readonly layers: readonly TestLayer[];
  readonly architecture?: string;
  /** changes the config before it is stored */
  readonly config?: Record<string, unknown>;
}

/** The config of a test image, to the byte. */
export function testConfig(image: TestImage): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: image.architecture ?? "amd64",
      os: "linux",
      config: { Cmd: ["true"], Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: image.layers.map((layer) => digestOf(layer.tar)) },
      ...image.config,
    }),
  );
}

/** An OCI layout being made in a folder. */
export class TestLayout {
  readonly path: string;
  readonly #manifests: object[] = [];

  constructor(path: string) {
    this.path = path;
    mkdirSync(join(path, "blobs/sha256"), { recursive: true });
    writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  }

  blob(bytes: Buffer): { digest: Digest; size: number } {
    const digest = digestOf(bytes);
    writeFileSync(this.blobPath(digest), bytes);
    return { digest, size: bytes.length };
  }

  blobPath(digest: Digest): string {
    return join(this.path, "blobs/sha256", hexOf(digest));
  }

  /** Stores an image. @returns descriptor of its manifest */
  image(image: TestImage): { mediaType: string; digest: Digest; size: number } {
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, ...this.blob(testConfig(image)) },
      layers: image.layers.map(({ tar, blob }) => ({
        mediaType: OCI_LAYER,
        ...this.blob(blob ?? tar),
      })),
    };
    return this.document(OCI_MANIFEST, manifest);
  }

  /** Stores a document. @returns its descriptor */
  document(
    mediaType: string,
    content: object,
  ): { mediaType: string; digest: Digest; size: number } {
    return { mediaType, ...this.blob(Buffer.from(JSON.stringify(content))) };
  }

  /** Lists a descriptor in the index, with a tag and a platform as given. */
  list(descriptor: object, fields: { tag?: string; platform?: object } = {}): void {
    this.#manifests.push({
      ...descriptor,
      ...(fields.platform === undefined ? {} : { platform: fields.platform }),
      ...(fields.tag === undefined
        ? {}
        : { annotations: { "org.opencontainers.image.ref.name": fields.tag } }),
    });
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: this.#manifests };
    writeFileSync(join(this.path, "index.json"), JSON.stringify(index));
  }
}

/** A `docker save` archive of one image. */
export function dockerArchive(image: TestImage, tags: readonly string[]): Buffer {
  const config = testConfig(image);
  const name = `${hexOf(digestOf(config))}.json`;
  const layers = image.layers.map(({ tar, blob }, n) => ({
    name: `layer-${n}/layer.tar`,
    data: blob ?? tar,
  }));
  const manifest = [{ Config: name, RepoTags: tags, Layers: layers.map((layer) => layer.name) }];
  return tarStream(
    ...layers,
    { name, data: config },
    { name: "manifest.json", data: JSON.stringify(manifest) },
  );
}
