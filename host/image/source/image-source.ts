/** Where an image comes from: a local layout, an archive or a registry, all behind one interface. */
import type { Digest } from "../digest.ts";
import type { BlobInput } from "../layer/blob-input.ts";
import type { Platform } from "../platform.ts";

/** An image as its source has it, before any layer is read. */
export interface ResolvedImage {
  /** the manifest to the byte, its digest checked; `undefined` where the source has none (docker archives) */
  readonly manifest:
    | { readonly digest: Digest; readonly bytes: Buffer; readonly mediaType: string }
    | undefined;
  /** digest of what the name stands for in its registry, an index or a manifest; absent: not from a registry */
  readonly repositoryDigest?: Digest;
  /** the config to the byte, its digest checked */
  readonly config: { readonly digest: Digest; readonly bytes: Buffer };
  /** blobs of the layers, lowest first */
  readonly layers: readonly LayerBlob[];
}

/** A layer's blob in a source. */
export interface LayerBlob {
  /** what the source finds it by */
  readonly key: string;
  /** digest of the blob; `undefined` where the source states none */
  readonly digest: Digest | undefined;
  /** length of the blob, in `bytes` */
  readonly size: number;
}

export interface ImageSource extends AsyncDisposable {
  /** the source as a user would name it */
  readonly name: string;
  /** Finds the image for a platform. @throws IMAGE_NOT_FOUND, PLATFORM_UNAVAILABLE, MANIFEST_INVALID, DIGEST_MISMATCH */
  resolve(platform: Platform, signal?: AbortSignal): Promise<ResolvedImage>;
  /** Opens a layer's blob; whoever reads it verifies it. @throws SOURCE_UNREADABLE */
  openLayer(layer: LayerBlob, signal?: AbortSignal): Promise<BlobInput>;
}
