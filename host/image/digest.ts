/** Content digests: `sha256:` and 64 hex digits (OCI image-spec v1.1, descriptor.md, "Digests"). */
import { createHash } from "node:crypto";
import { imageError } from "./errors.ts";

/** A digest whose form has been checked. */
export type Digest = string & { readonly __brand: "Digest" };

const SHA256 = /^sha256:[0-9a-f]{64}$/;

/**
 * Checks the form of a digest. Only SHA-256 is taken: the specification obliges nobody to more.
 * @throws MANIFEST_INVALID
 */
export function parseDigest(text: string, where: string): Digest {
  if (!isDigest(text))
    throw imageError("MANIFEST_INVALID", `${where}: not a sha256 digest: ${excerpt(text)}`);
  return text;
}

/** Tells whether a text has the form of a digest. */
export function isDigest(text: string): text is Digest {
  return SHA256.test(text);
}

/** Digest of bytes in memory. */
export function digestOf(bytes: Uint8Array): Digest {
  return fromHex(createHash("sha256").update(bytes).digest("hex"));
}

/** Digest from the 64 hex digits that a SHA-256 hash gave. */
export function fromHex(hex: string): Digest {
  return parseDigest(`sha256:${hex}`, "hash");
}

/** The 64 hex digits, as used in file names. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** Quotes foreign text for a message: bounded, without control characters. */
export function excerpt(text: string): string {
  const clean = text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "?");
  return clean.length > 120 ? `${clean.slice(0, 120)}…` : clean;
}
