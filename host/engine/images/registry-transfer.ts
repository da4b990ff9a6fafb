/** Pulls and pushes between the store and registries. */

import { imageError } from "../../image/errors.ts";
import type { HeldImage, ImageStore } from "../../image/image-store.ts";
import { type LoadEvent, type LoadOptions, loadImage } from "../../image/load-image.ts";
import {
  familiarReference,
  formatReference,
  type NamedReference,
  parseNamed,
} from "../../image/reference.ts";
import type { Credentials } from "../../image/registry/credentials.ts";
import { listTags } from "../../image/registry/list-tags.ts";
import { pushImage } from "../../image/registry/push-image.ts";
import { RegistrySession } from "../../image/registry/registry-session.ts";
import { readRegistrySettings } from "../../image/registry/registry-settings.ts";
import { openRegistrySource } from "../../image/registry/registry-source.ts";
import { platformOf } from "./local-image.ts";
import { type ImageProgress, pushProgress } from "./transfer-progress.ts";

export interface TransferOptions {
  readonly store: ImageStore;
  /** folder that may hold `registries.json` */
  readonly dataRoot: string;
  /** hosts beside those of the settings that may be spoken to without TLS */
  readonly insecure?: readonly string[];
  /** in place of those in Docker's configuration; "none": neither */
  readonly credentials?: Credentials | "none" | undefined;
  readonly onRetry?: (reason: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A session with the user's settings. */
export async function openRegistrySession(
  options: Omit<TransferOptions, "store" | "signal">,
): Promise<RegistrySession> {
  const settings = await readRegistrySettings(options.dataRoot);
  const { credentials, insecure = [], onRetry } = options;
  return new RegistrySession({
    settings: { ...settings, insecure: [...settings.insecure, ...insecure] },
    ...(credentials === undefined ? {} : { credentials }),
    ...(onRetry === undefined ? {} : { onRetry }),
  });
}

/** Pulls an image and lists it by its name. @returns the image, which stays until it is disposed of */
export async function pullImage(
  reference: NamedReference,
  options: TransferOptions & {
    readonly platform?: string | undefined;
    readonly onEvent?: ((event: LoadEvent) => void) | undefined;
    readonly prepare: NonNullable<LoadOptions["prepare"]>;
  },
): Promise<HeldImage> {
  const { store, signal, onEvent, prepare } = options;
  const platform = platformOf(options.platform);
  await using session = await openRegistrySession(options);
  return await loadImage(openRegistrySource(reference, session), {
    store,
    prepare,
    // Pulled by its digest, an image is named by it, whatever tag was written too.
    tag: reference.digest === undefined ? reference : { ...reference, tag: undefined },
    ...(platform === undefined ? {} : { platform }),
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Names of all images of a repository in its registry. */
export async function repositoryTags(
  reference: NamedReference,
  options: Omit<TransferOptions, "store">,
): Promise<readonly string[]> {
  await using session = await openRegistrySession(options);
  const client = await session.originClient(reference);
  return (await listTags(client, reference, options.signal)).map(formatReference);
}

/** Pushes a named image of the store. @returns digest and length of the manifest in the registry */
export async function pushNamed(
  text: string,
  options: TransferOptions & { readonly onProgress: (progress: ImageProgress) => void },
): Promise<{ readonly digest: string; readonly size: number }> {
  const { store, onProgress, signal } = options;
  const reference = parseNamed(text);
  if (reference.digest !== undefined)
    throw imageError("REFERENCE_INVALID", `cannot push a digest reference: ${text}`, {
      hint: "name a tag",
    });
  await using image = await store.hold(formatReference(reference));
  if (image === undefined)
    throw imageError(
      "IMAGE_NOT_FOUND",
      `An image does not exist locally with the tag: ${familiarReference(reference)}`,
      {
        hint: "give an image that name with dvm tag",
      },
    );
  await using session = await openRegistrySession(options);
  const pushed = await pushImage(image, {
    store,
    session,
    reference,
    signal,
    onEvent: (event) => onProgress(pushProgress(event)),
  });
  await store.tag({ ...image, repositoryDigest: pushed.digest }, reference);
  return pushed;
}
