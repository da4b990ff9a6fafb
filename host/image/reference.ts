/** Image references: names in Docker's grammar (distribution/reference), and transports that name local files. */
import { type Digest, excerpt, isDigest } from "./digest.ts";
import { imageError } from "./errors.ts";

/** A name that a registry or the local store resolves, normalised. */
export interface NamedReference {
  readonly transport: "registry";
  /** registry host with its port, such as `docker.io` or `localhost:5000` */
  readonly domain: string;
  /** repository below the host, such as `library/busybox` */
  readonly path: string;
  /** tag; `latest` when neither tag nor digest was given */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/** An image in local files. */
export interface FileReference {
  readonly transport: "oci" | "oci-archive" | "docker-archive";
  /** folder of the layout, or the archive, as it was written */
  readonly path: string;
  /** which image of it: a tag, a name, or `@N` for the N-th; `undefined` for the only one */
  readonly image: string | undefined;
}

export type ImageReference = NamedReference | FileReference;

export const DEFAULT_DOMAIN = "docker.io";
const DEFAULT_NAMESPACE = "library";
const DEFAULT_TAG = "latest";
/** Longest repository name with its host, in `bytes` (distribution/reference NameTotalLengthMax). */
const MAX_NAME_LENGTH = 255;

const TRANSPORT = /^(oci|oci-archive|docker-archive):(.*)$/s;
const DOMAIN =
  /^(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]+)?$|^\[[a-fA-F0-9:]+\](?::[0-9]+)?$/;
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const BARE_DIGEST = /^[a-f0-9]{64}$/;

/**
 * Parses what a user names an image by.
 * @example parseReference("busybox") // docker.io/library/busybox:latest
 * @throws REFERENCE_INVALID
 */
export function parseReference(text: string): ImageReference {
  const transport = TRANSPORT.exec(text);
  return transport === null
    ? parseNamed(text)
    : parseFileReference(transport[1] as FileReference["transport"], transport[2] ?? "", text);
}

/** Parses a name in Docker's grammar. @throws REFERENCE_INVALID */
export function parseNamed(text: string): NamedReference {
  if (text === "") throw invalid(text, "empty");
  if (BARE_DIGEST.test(text)) throw invalid(text, "64 hex digits are an image ID, not a name");
  const { rest, digest } = splitDigest(text);
  const { name, tag } = splitTag(rest, text);
  const { domain, path } = splitDomain(name);
  if (!DOMAIN.test(domain)) throw invalid(text, "bad host");
  for (const component of path.split("/")) {
    if (PATH_COMPONENT.test(component)) continue;
    const upper = PATH_COMPONENT.test(component.toLowerCase());
    throw invalid(text, upper ? "repository name must be lowercase" : "bad repository name");
  }
  if (domain.length + 1 + path.length > MAX_NAME_LENGTH)
    throw invalid(text, `name is longer than ${MAX_NAME_LENGTH} bytes`);
  const chosen = tag ?? (digest === undefined ? DEFAULT_TAG : undefined);
  return { transport: "registry", domain, path, tag: chosen, digest };
}

/** The full form of a reference: `docker.io/library/busybox:latest`; a transport's as it was written. */
export function formatReference(reference: ImageReference): string {
  if (reference.transport !== "registry") {
    const image = reference.image === undefined ? "" : `:${reference.image}`;
    return `${reference.transport}:${reference.path}${image}`;
  }
  return `${reference.domain}/${reference.path}${suffix(reference)}`;
}

/** The short form that Docker shows: without the default host and namespace. */
export function familiarReference(reference: NamedReference): string {
  return familiarName(reference) + suffix(reference);
}

/** The repository as Docker shows it, without tag and digest. */
export function familiarName(reference: NamedReference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return `${reference.domain}/${reference.path}`;
  const prefix = `${DEFAULT_NAMESPACE}/`;
  const rest = reference.path.startsWith(prefix) ? reference.path.slice(prefix.length) : undefined;
  return rest === undefined || rest.includes("/") ? reference.path : rest;
}

function suffix(reference: NamedReference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  return tag + (reference.digest === undefined ? "" : `@${reference.digest}`);
}

function splitDigest(text: string): { rest: string; digest: Digest | undefined } {
  const at = text.indexOf("@");
  if (at < 0) return { rest: text, digest: undefined };
  const digest = text.slice(at + 1);
  if (!isDigest(digest)) throw invalid(text, "bad digest");
  return { rest: text.slice(0, at), digest };
}

function splitTag(rest: string, text: string): { name: string; tag: string | undefined } {
  const colon = rest.lastIndexOf(":");
  if (colon < 0 || rest.indexOf("/", colon) >= 0) return { name: rest, tag: undefined };
  const tag = rest.slice(colon + 1);
  if (!TAG.test(tag)) throw invalid(text, "bad tag");
  return { name: rest.slice(0, colon), tag };
}

/** The first component is a host if it could not be a repository name, or is `localhost` (distribution/reference splitDockerDomain). */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isDomain = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const given = isDomain ? first : DEFAULT_DOMAIN;
  const domain = given === "index.docker.io" ? DEFAULT_DOMAIN : given;
  const path = isDomain ? name.slice(slash + 1) : name;
  const official = domain === DEFAULT_DOMAIN && !path.includes("/");
  return { domain, path: official ? `${DEFAULT_NAMESPACE}/${path}` : path };
}

/** The first colon ends the path, as it does for skopeo: paths with a colon cannot be written. */
function parseFileReference(
  transport: FileReference["transport"],
  rest: string,
  text: string,
): FileReference {
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const image = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === "") throw invalid(text, `${transport} needs a path`);
  if (path.includes("\0") || image === "") throw invalid(text, "empty tag");
  return { transport, path, image };
}

function invalid(text: string, why: string): Error {
  return imageError("REFERENCE_INVALID", `invalid image reference: ${excerpt(text)}: ${why}`);
}
