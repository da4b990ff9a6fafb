/** What the user shows of themselves to registries: Docker's `config.json`, which the daemon does not read for them. */

import { familiarName, familiarReference, parseNamed } from "../../image/reference.ts";
import type { Credentials } from "../../image/registry/credentials.ts";
import {
  eraseCredentials,
  findCredentials,
  storeCredentials,
} from "../../image/registry/docker-config.ts";
import { dockerConfigPath } from "../../image/registry/registry-settings.ts";
import { apiError } from "../docker/errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The header with which a request carries credentials for the registry of an image: base64url of JSON, as Docker's. */
export async function registryHeaders(
  image: string,
  environment: Environment = process.env,
): Promise<Readonly<Record<string, string>>> {
  const { domain } = parseNamed(image);
  const found = await findCredentials(dockerConfigPath(environment), domain);
  const { username, password, identityToken: identitytoken } = found ?? {};
  const text = JSON.stringify({ username, password, identitytoken, serveraddress: domain });
  return { "X-Registry-Auth": Buffer.from(text).toString("base64url") };
}

/** The tag that is meant is written: a name without one stands for all. @throws DvmError `REFERENCE_INVALID` */
export function transferName(text: string, { all = false }: { readonly all?: boolean }): string {
  const reference = parseNamed(text);
  if (!all) return familiarReference(reference);
  if (text.includes("@") || reference.tag !== "latest") {
    throw apiError("BAD_REQUEST", "tag can't be used with --all-tags/-a");
  }
  return familiarName(reference);
}

/** Keeps what a registry has taken. @returns the helper that has it; absent: a file */
export function keepCredentials(
  host: string,
  credentials: Credentials,
  environment: Environment = process.env,
): Promise<string | undefined> {
  return storeCredentials(dockerConfigPath(environment), host, credentials);
}

/** @returns whether there were any */
export function forgetCredentials(
  host: string,
  environment: Environment = process.env,
): Promise<boolean> {
  return eraseCredentials(dockerConfigPath(environment), host);
}
