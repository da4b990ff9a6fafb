/** Shows credentials to a registry, before anybody keeps them. */
import { imageError } from "../errors.ts";
import { statusError } from "./registry-error.ts";
import type { RegistrySession } from "./registry-session.ts";

/**
 * Logs in to a registry; nothing is kept.
 * @param session one made with the credentials
 * @throws REGISTRY_UNAUTHORIZED, REGISTRY_*
 */
export async function login(host: string, session: RegistrySession): Promise<void> {
  const endpoint = await session.origin(host);
  const authorizer = session.authorizer(endpoint);
  const url = new URL("/v2/", endpoint.base);
  for (let tries = 0; tries < 2; tries++) {
    const authorization = await authorizer.header("");
    const response = await session.http.send({ method: "GET", url, authorization });
    const body = await response.bytes(64 * 1024);
    if (response.status === 200) return;
    const what = "login";
    if (response.status !== 401)
      throw statusError({ status: response.status, where: host, what, body });
    if (!(await authorizer.refused(response.header("www-authenticate"), "", authorization)))
      throw statusError({ status: 401, where: host, what, body });
  }
  throw imageError(
    "REGISTRY_UNAUTHORIZED",
    `registry ${host} does not take the user name and password`,
    {
      hint: "check them; some registries want an access token in place of the password",
    },
  );
}
