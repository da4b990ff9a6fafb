/** Reads foreign JSON: bounded in size and depth, and checked field by field, so that no unchecked value gets further. */
import { excerpt } from "./digest.ts";
import { imageError } from "./errors.ts";

/** Largest document taken, in `bytes`; registries refuse larger manifests (distribution-spec v1.1, "Pushing manifests"). */
export const MAX_JSON_BYTES = 4 * 1024 * 1024;
/** Deepest nesting taken, in `levels`. */
export const MAX_JSON_DEPTH = 32;

export type JsonObject = { readonly [key: string]: unknown };

/**
 * Parses a JSON object.
 * @param where what the document is, for messages: `manifest sha256:…`
 * @throws MANIFEST_INVALID
 */
export function parseJsonObject(bytes: Uint8Array, where: string): JsonObject {
  return asObject(parseJson(bytes, where), where);
}

/** Parses any JSON value within the limits. @throws MANIFEST_INVALID */
export function parseJson(bytes: Uint8Array, where: string): unknown {
  if (bytes.length > MAX_JSON_BYTES)
    throw invalid(where, `${bytes.length} bytes long, the limit is ${MAX_JSON_BYTES}`);
  refuseDeepNesting(bytes, where);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw imageError("MANIFEST_INVALID", `${where}: not JSON`, { cause });
  }
}

/** Takes a value as an object. @throws MANIFEST_INVALID */
export function asObject(value: unknown, where: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(where, "not an object");
  return value as JsonObject;
}

/** A string field; `undefined` when it is absent or null. @throws MANIFEST_INVALID */
export function optionalString(object: JsonObject, key: string, where: string): string | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalid(where, `${key} is not a string`);
  if (value.includes("\0")) throw invalid(where, `${key} holds a NUL: ${excerpt(value)}`);
  return value;
}

/** A string field that must be there. @throws MANIFEST_INVALID */
export function requiredString(object: JsonObject, key: string, where: string): string {
  const value = optionalString(object, key, where);
  if (value === undefined) throw invalid(where, `${key} is missing`);
  return value;
}

/** A whole number field of zero or more that must be there. @throws MANIFEST_INVALID */
export function requiredSize(object: JsonObject, key: string, where: string): number {
  const value = object[key];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw invalid(where, `${key} is not a size: ${excerpt(String(value))}`);
  return value;
}

/** An array field; `undefined` when it is absent or null. @throws MANIFEST_INVALID */
export function optionalArray(
  object: JsonObject,
  key: string,
  limits: { readonly where: string; readonly max: number },
): readonly unknown[] | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw invalid(limits.where, `${key} is not an array`);
  if (value.length > limits.max)
    throw invalid(limits.where, `${key} has ${value.length} items, the limit is ${limits.max}`);
  return value;
}

/** An array of strings; `undefined` when it is absent or null. @throws MANIFEST_INVALID */
export function optionalStrings(
  object: JsonObject,
  key: string,
  limits: { readonly where: string; readonly max: number },
): readonly string[] | undefined {
  return optionalArray(object, key, limits)?.map((item) => {
    if (typeof item !== "string" || item.includes("\0"))
      throw invalid(limits.where, `${key} holds something that is not a plain string`);
    return item;
  });
}

/** An object of strings, such as annotations; empty when it is absent or null. @throws MANIFEST_INVALID */
export function stringMap(
  object: JsonObject,
  key: string,
  where: string,
): Readonly<Record<string, string>> {
  const value = object[key];
  const result: Record<string, string> = Object.create(null);
  if (value === undefined || value === null) return result;
  for (const [name, text] of Object.entries(asObject(value, `${where}: ${key}`))) {
    if (typeof text !== "string") throw invalid(where, `${key}: ${excerpt(name)} is not a string`);
    result[name] = text;
  }
  return result;
}

/** Makes the error for a document that breaks its format. */
export function invalid(where: string, what: string): Error {
  return imageError("MANIFEST_INVALID", `${where}: ${what}`);
}

function refuseDeepNesting(bytes: Uint8Array, where: string): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MAX_JSON_DEPTH)
        throw invalid(where, `nested deeper than ${MAX_JSON_DEPTH} levels`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
}
