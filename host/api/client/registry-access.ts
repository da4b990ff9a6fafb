/** What the user shows of themselves to registries: Docker's `config.json`, which the daemon does not read for them. */

import { parseNamed } from "../../image/reference.ts";
import type { Credentials } from "../../image/registry/credentials.ts";
import {
  eraseCredentials,
  findCredentials,
  storeCredentials,
} from "../../image/registry/docker-config.ts";
import { dockerConfigPath } from "../../image/registry/registry-settings.ts";

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
