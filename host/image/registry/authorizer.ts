/** What one registry is shown of its client: basic credentials or tokens, each asked for once and kept until it expires. */
import { excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";
import { optionalString, parseJsonObject } from "../json.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import type { HttpClient } from "./http-client.ts";
import { statusError } from "./registry-error.ts";
import { mayBePlain, type RegistrySettings } from "./registry-settings.ts";

/** Longest answer of a token server, in `bytes`. */
const MAX_TOKEN_ANSWER = 256 * 1024;
/** Life of a token whose server states none, in `seconds` (distribution token specification, "expires_in"). */
const DEFAULT_LIFE = 60;
/** A token is taken for expired this long before it is, in `milliseconds`. */
const EARLY = 5_000;

export interface AuthorizerOptions {
  readonly http: HttpClient;
  readonly settings: RegistrySettings;
  /** registry, for messages */
  readonly host: string;
  readonly credentials: () => Promise<Credentials | undefined>;
  readonly now?: () => number;
}

interface Token {
  readonly header: string;
  /** when another one is needed, in `milliseconds` of `now` */
  readonly until: number;
}

export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #now: () => number;
  readonly #tokens = new Map<string, Promise<Token>>();
  #challenge: Challenge | undefined;
  #credentials: Promise<Credentials | undefined> | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * The header for a scope such as `repository:library/busybox:pull`; `undefined` until the server has asked for one.
   * @throws REGISTRY_UNAUTHORIZED, CREDENTIALS_UNREADABLE and what HttpClient throws
   */
  async header(scope: string, signal?: AbortSignal): Promise<string | undefined> {
    if (this.#challenge === undefined) return undefined;
    if (this.#challenge.scheme === "basic") return this.#basic();
    const known = this.#tokens.get(scope);
    if (known !== undefined) {
      const token = await known;
      if (this.#now() < token.until) return token.header;
    }
    // Another caller may have renewed it meanwhile.
    const latest = this.#tokens.get(scope);
    if (latest !== known && latest !== undefined) return (await latest).header;
    const asked = this.#fetchToken(this.#challenge, scope, signal);
    this.#tokens.set(scope, asked);
    asked.catch(() => this.#tokens.delete(scope));
    return (await asked).header;
  }

  /**
   * Takes in a refusal.
   * @param used the header that was refused
   * @returns whether there is something else to show
   */
  async refused(
    header: string | undefined,
    scope: string,
    used: string | undefined,
  ): Promise<boolean> {
    const challenges = parseChallenges(header ?? "");
    const challenge =
      challenges.find(({ scheme }) => scheme === "bearer") ??
      challenges.find(({ scheme }) => scheme === "basic");
    if (challenge === undefined) return false;
    this.#challenge = challenge;
    if (challenge.scheme === "basic")
      return used === undefined && (await this.#basic()) !== undefined;
    const known = await this.#tokens.get(scope)?.catch(() => undefined);
    if (known?.header === used) this.#tokens.delete(scope);
    return true;
  }

  #find(): Promise<Credentials | undefined> {
    this.#credentials ??= this.#options.credentials();
    return this.#credentials;
  }

  async #basic(): Promise<string | undefined> {
    const found = await this.#find();
    return found === undefined ? undefined : basicHeader(found);
  }

  /** Distribution token specification; with an identity token the OAuth 2 form of it. */
  async #fetchToken(challenge: Challenge, scope: string, signal?: AbortSignal): Promise<Token> {
    const { http, host } = this.#options;
    const realm = this.#realm(challenge);
    const found = await this.#find();
    const fields = new URLSearchParams();
    const service = challenge.parameters.get("service");
    if (service !== undefined) fields.set("service", service);
    const identityToken = found?.identityToken;
    const asked = this.#now();
    const wanted = scope === "" ? (challenge.parameters.get("scope") ?? "") : scope;
    if (identityToken === undefined)
      for (const item of wanted.split(" ").filter((part) => part !== ""))
        fields.append("scope", item);
    else if (wanted !== "") fields.set("scope", wanted);
    const response =
      identityToken === undefined
        ? await http.send({
            method: "GET",
            url: withFields(realm, fields, found?.username),
            authorization: found === undefined ? undefined : basicHeader(found),
            signal,
          })
        : await http.send({
            method: "POST",
            url: realm,
            headers: { "content-type": "application/x-www-form-urlencoded" },
            body: () => refreshBody(fields, identityToken),
            signal,
          });
    const body = await response.bytes(MAX_TOKEN_ANSWER);
    const where = `token server ${realm.host} of registry ${host}`;
    if (response.status !== 200)
      throw statusError({
        status: response.status === 403 ? 401 : response.status,
        where,
        what: "token",
        body,
      });
    return this.#parseToken(body, where, asked);
  }

  #realm(challenge: Challenge): URL {
    const { host, settings } = this.#options;
    const text = challenge.parameters.get("realm") ?? "";
    const realm = URL.parse(text);
    const plain = realm?.protocol === "http:" && mayBePlain(realm.host, settings);
    if (realm !== null && realm.username === "" && (realm.protocol === "https:" || plain))
      return realm;
    throw imageError(
      "REGISTRY_PROTOCOL",
      `registry ${host} names no token server that can be trusted: ${excerpt(text)}`,
    );
  }

  #parseToken(body: Buffer, where: string, asked: number): Token {
    const answer = parseJsonObject(body, where);
    const text =
      optionalString(answer, "token", where) || optionalString(answer, "access_token", where);
    if (!text || /[^\x21-\x7e]/.test(text))
      throw imageError("REGISTRY_PROTOCOL", `${where} answers without a token`);
    const stated = Number(answer.expires_in);
    const life = Number.isFinite(stated) && stated > 0 ? stated : DEFAULT_LIFE;
    return { header: `Bearer ${text}`, until: asked + Math.max(life * 1000 - EARLY, 0) };
  }
}

function basicHeader({ username = "", password = "" }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function withFields(realm: URL, fields: URLSearchParams, account: string | undefined): URL {
  const url = new URL(realm);
  for (const [name, value] of fields) url.searchParams.append(name, value);
  if (account !== undefined) url.searchParams.set("account", account);
  return url;
}

function refreshBody(fields: URLSearchParams, identityToken: string): string {
  const body = new URLSearchParams(fields);
  body.set("grant_type", "refresh_token");
  body.set("client_id", "dvm");
  body.set("refresh_token", identityToken);
  return body.toString();
}
