/** The tags of a repository, page by page (distribution specification v1.1, "Listing Tags"). */
import { imageError } from "../errors.ts";
import { MAX_JSON_BYTES, optionalArray, parseJsonObject } from "../json.ts";
import { familiarName, type NamedReference, parseNamed } from "../reference.ts";
import type { RegistryClient } from "./registry-client.ts";

/** Most tags taken of a repository, and most pages asked for. */
const MAX_TAGS = 10_000;
const MAX_PAGES = 1000;
/** The next page in a Link header (RFC 8288 §3). */
const NEXT = /<([^>]*)>\s*;[^,]*\brel="?next"?/i;

/**
 * Lists a repository's tags, each as a name of its own.
 * @throws IMAGE_NOT_FOUND, MANIFEST_INVALID, REFERENCE_INVALID, REGISTRY_*
 */
export async function listTags(
  client: RegistryClient,
  reference: NamedReference,
  signal?: AbortSignal,
): Promise<readonly NamedReference[]> {
  const where = `${client.where}: list of tags`;
  const names = new Set<string>();
  let path: string | URL | undefined = "tags/list";
  for (let page = 0; path !== undefined; page++) {
    const response = await client.send({ method: "GET", path, signal });
    if (response.status !== 200) throw await client.refusal(response, "list of tags");
    const document = parseJsonObject(await response.bytes(MAX_JSON_BYTES), where);
    for (const tag of optionalArray(document, "tags", { where, max: MAX_TAGS }) ?? [])
      names.add(`${reference.domain}/${reference.path}:${String(tag)}`);
    if (names.size > MAX_TAGS || page > MAX_PAGES)
      throw imageError("REGISTRY_PROTOCOL", `${where} is longer than ${MAX_TAGS}`);
    path = nextPage(response.header("link"), response.url);
  }
  if (names.size === 0)
    throw imageError("IMAGE_NOT_FOUND", `${familiarName(reference)} has no tags`);
  return [...names].map((name) => parseNamed(name));
}

/** A page elsewhere is none of this registry's. */
function nextPage(link: string | undefined, from: URL): URL | undefined {
  const target = NEXT.exec(link ?? "")?.[1];
  const url = target === undefined ? null : URL.parse(target, from.href);
  return url?.origin === from.origin ? url : undefined;
}
