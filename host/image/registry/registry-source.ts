/** An image in a registry as a source to load from. */
import { DvmError } from "../../errors.ts";
import { imageError } from "../errors.ts";
import { invalid } from "../json.ts";
import { parseManifest } from "../manifest.ts";
import type { Platform } from "../platform.ts";
import { familiarReference, type NamedReference } from "../reference.ts";
import type { ImageSource, LayerBlob, ResolvedImage } from "../source/image-source.ts";
import { pickForPlatform } from "../source/oci-layout.ts";
import { downloadBlob } from "./blob-download.ts";
import type { FetchedManifest, RegistryClient } from "./registry-client.ts";
import type { RegistrySession } from "./registry-session.ts";

/** Deepest nesting of indexes followed. */
const MAX_INDEX_DEPTH = 4;

/** Opens an image's repository; nothing is asked before `resolve`. The session stays its maker's. */
export function openRegistrySource(
  reference: NamedReference,
  session: RegistrySession,
): ImageSource {
  const name = familiarReference(reference);
  let clients: readonly RegistryClient[] = [];
  return {
    name,
    resolve: async (platform, signal) => {
      const all = await session.pullClients(reference, signal);
      const { resolved, client } = await firstThatHas(all, (each) =>
        resolveAt(each, { reference, platform, name, signal }),
      );
      const origin = all.at(-1);
      clients = origin === undefined || origin === client ? [client] : [client, origin];
      return resolved;
    },
    openLayer: async (layer, signal) => ({
      kind: "stream",
      chunks: layerChunks(layer, { clients, session, signal }),
    }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

interface Resolution {
  readonly reference: NamedReference;
  readonly platform: Platform;
  readonly name: string;
  readonly signal: AbortSignal | undefined;
}

/** A mirror that fails, whatever its reason, is passed over; the registry's own answer counts. */
async function firstThatHas(
  clients: readonly RegistryClient[],
  resolve: (client: RegistryClient) => Promise<ResolvedImage>,
): Promise<{ readonly resolved: ResolvedImage; readonly client: RegistryClient }> {
  for (const [index, client] of clients.entries()) {
    try {
      return { resolved: await resolve(client), client };
    } catch (error) {
      const isLast = index === clients.length - 1;
      if (isLast || !(error instanceof DvmError) || error.code === "LOAD_CANCELLED") throw error;
    }
  }
  throw imageError("IMAGE_NOT_FOUND", "no registry to ask");
}

async function resolveAt(client: RegistryClient, wanted: Resolution): Promise<ResolvedImage> {
  const { reference, platform, name, signal } = wanted;
  const top = await client.manifest(reference.digest ?? reference.tag ?? "latest", signal);
  let current: FetchedManifest = top;
  for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
    const where = `${name}: manifest ${current.digest}`;
    const parsed = parseManifest(current.bytes, where, current.mediaType);
    if (parsed.kind === "manifest") {
      const { config, layers, mediaType } = parsed;
      return {
        manifest: { digest: current.digest, bytes: current.bytes, mediaType },
        repositoryDigest: top.digest,
        config: { digest: config.digest, bytes: await client.smallBlob(config, signal) },
        layers: layers.map(({ digest, size }) => ({ key: digest, digest, size })),
      };
    }
    const { digest } = pickForPlatform(parsed.manifests, platform, name);
    current = await client.manifest(digest, signal);
  }
  throw invalid(name, `indexes nested deeper than ${MAX_INDEX_DEPTH}`);
}

interface LayerDownload {
  readonly clients: readonly RegistryClient[];
  readonly session: RegistrySession;
  readonly signal: AbortSignal | undefined;
}

/** A layer from where the manifest was, or from the registry itself when a mirror has only the manifest. */
async function* layerChunks(
  { digest, size }: LayerBlob,
  { clients, session, signal }: LayerDownload,
): AsyncGenerator<Uint8Array> {
  if (digest === undefined) throw imageError("MANIFEST_INVALID", "layer without a digest");
  for (const [index, client] of clients.entries()) {
    let begun = false;
    try {
      for await (const chunk of downloadBlob({
        client,
        http: session.http,
        digest,
        size,
        signal,
      })) {
        begun = true;
        yield chunk;
      }
      return;
    } catch (error) {
      const another = index < clients.length - 1 && !begun && signal?.aborted !== true;
      if (!another) throw error;
    }
  }
}
