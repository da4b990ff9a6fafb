/** What users show of themselves to registries: with a request, or to see whether a registry takes it. */

import { DvmError } from "../../../errors.ts";
import { apiError } from "../../docker/errors.ts";
import { object, readBySchema, string } from "../../docker/schema.ts";
import type { ApiCall } from "../api-call.ts";
import type { RegistryAuth } from "../daemon-model.ts";
import type { Route } from "../router.ts";

export const loginRoutes: readonly Route[] = [{ method: "POST", pattern: "/auth", handle: login }];

/** Longest header with credentials, in characters. */
const MAX_AUTH = 16_384;

const authBody = object({
  username: string,
  password: string,
  identitytoken: string,
  serveraddress: string,
});

/** Nothing is kept here: that is the client's to do. */
async function login(call: ApiCall): Promise<void> {
  const body = readBySchema(authBody, await call.json());
  const server = body.serveraddress || "docker.io";
  const host = server.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
  try {
    await call.engine.images().login(host, authOf(body), call.query.texts("insecure"));
  } catch (error) {
    if (!(error instanceof DvmError) || error.code !== "REGISTRY_UNAUTHORIZED") throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw apiError("UNAUTHORIZED", error.message, { cause: error, ...hint });
  }
  call.reply.json(200, { Status: "Login Succeeded", IdentityToken: "" });
}

/** X-Registry-Auth: base64url of JSON. A header that is none is no credentials, as in Docker. */
export function registryAuth(
  header: string | readonly string[] | undefined,
): RegistryAuth | undefined {
  if (typeof header !== "string" || header === "" || header.length > MAX_AUTH) return undefined;
  try {
    const text = Buffer.from(header, "base64url").toString("utf8");
    return authOf(readBySchema(authBody, JSON.parse(text)));
  } catch {
    return undefined;
  }
}

function authOf({ username, password, identitytoken, serveraddress }: AuthBody): RegistryAuth {
  return {
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
    ...(identitytoken === "" ? {} : { identityToken: identitytoken }),
    ...(serveraddress === "" ? {} : { serverAddress: serveraddress }),
  };
}

type AuthBody = ReturnType<typeof readBySchema<typeof authBody>>;
