/** Programs that keep credentials: `docker-credential-NAME` (docker-credential-helpers, "Development"). */
import { spawn } from "node:child_process";
import { excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";
import { parseJsonObject, requiredString } from "../json.ts";
import type { Credentials } from "./credentials.ts";

/** Longest run of a helper, which may ask its user something, in `milliseconds`. */
const TIMEOUT = 60_000;
/** Longest answer taken, in `bytes`. */
const MAX_OUTPUT = 256 * 1024;
/** What helpers say when they have nothing (credentials.errCredentialsNotFoundMessage). */
const NOT_FOUND = /credentials not found/i;
/** The user name that marks an identity token. */
const TOKEN_USER = "<token>";

/** Asks a helper for a server's credentials. @throws CREDENTIALS_UNREADABLE */
export async function askHelper(helper: string, server: string): Promise<Credentials | undefined> {
  const { code, output } = await runHelper(helper, "get", server);
  if (code !== 0) {
    if (NOT_FOUND.test(output)) return undefined;
    throw failed(helper, output);
  }
  const where = `docker-credential-${helper}`;
  const answer = parseJsonObject(Buffer.from(output), where);
  const username = requiredString(answer, "Username", where);
  const secret = requiredString(answer, "Secret", where);
  return username === TOKEN_USER ? { identityToken: secret } : { username, password: secret };
}

/** Has a helper keep credentials. @throws CREDENTIALS_UNREADABLE */
export async function storeWithHelper(
  helper: string,
  server: string,
  credentials: Credentials,
): Promise<void> {
  const { identityToken } = credentials;
  const entry = {
    ServerURL: server,
    Username: identityToken === undefined ? (credentials.username ?? "") : TOKEN_USER,
    Secret: identityToken ?? credentials.password ?? "",
  };
  const { code, output } = await runHelper(helper, "store", JSON.stringify(entry));
  if (code !== 0) throw failed(helper, output);
}

/** Has a helper forget a server; one that knows nothing of it is content. @throws CREDENTIALS_UNREADABLE */
export async function eraseWithHelper(helper: string, server: string): Promise<void> {
  const { code, output } = await runHelper(helper, "erase", server);
  if (code !== 0 && !NOT_FOUND.test(output)) throw failed(helper, output);
}

interface HelperResult {
  readonly code: number | null;
  readonly output: string;
}

async function runHelper(helper: string, verb: string, input: string): Promise<HelperResult> {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(helper))
    throw imageError(
      "CREDENTIALS_UNREADABLE",
      `not the name of a credential helper: ${excerpt(helper)}`,
    );
  const child = spawn(`docker-credential-${helper}`, [verb], {
    stdio: ["pipe", "pipe", "ignore"],
    // In place of spawn's own `timeout`, whose timer outlives a helper that could not be started.
    signal: AbortSignal.timeout(TIMEOUT),
    killSignal: "SIGKILL",
  });
  const { promise, resolve, reject } = Promise.withResolvers<HelperResult>();
  const chunks: Buffer[] = [];
  let length = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > MAX_OUTPUT) child.kill("SIGKILL");
    else chunks.push(chunk);
  });
  // A helper may end without reading what it was told.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  child.on("error", (cause) =>
    reject(
      imageError("CREDENTIALS_UNREADABLE", `cannot run docker-credential-${helper}`, { cause }),
    ),
  );
  child.on("close", (code) => resolve({ code, output: Buffer.concat(chunks).toString() }));
  return promise;
}

function failed(helper: string, output: string): Error {
  const said = excerpt(output.trim());
  return imageError(
    "CREDENTIALS_UNREADABLE",
    `docker-credential-${helper} failed${said === "" ? "" : `: ${said}`}`,
  );
}
