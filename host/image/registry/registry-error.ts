/** What a registry's answers and the network's failures mean to a user. */
import type { DvmError } from "../../errors.ts";
import { excerpt } from "../digest.ts";
import { type ImageErrorCode, imageError } from "../errors.ts";

/** Codes that Node, OpenSSL and undici give to a connection that could not be had. */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
]);
const TIMEOUT = new Set([
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
]);
const CERTIFICATE =
  /^(?:ERR_TLS_|CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;
/** Failures that another try does not mend. */
const LASTING = new Set(["ECONNREFUSED", "ENOTFOUND"]);

/** The code of a failed connection, wherever it stands in the chain of causes. */
export function networkCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if (at instanceof AggregateError && at.errors.length > 0) return networkCode(at.errors[0]);
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return undefined;
}

/** Whether a failed TLS handshake says that the other side speaks no TLS, rather than that it is not trusted. */
export function speaksNoTls(error: unknown): boolean {
  const code = networkCode(error) ?? "";
  return /^(?:ERR_SSL_|EPROTO$|ECONNREFUSED$|ECONNRESET$|UND_ERR_SOCKET$)/.test(code);
}

/** Whether another try may succeed. */
export function isPassing(error: unknown): boolean {
  const code = networkCode(error) ?? "";
  return (
    !LASTING.has(code) &&
    !CERTIFICATE.test(code) &&
    !code.startsWith("ERR_SSL_") &&
    code !== "EPROTO"
  );
}

/** The error for a connection that failed. @param host for the message */
export function connectionError(cause: unknown, host: string): Error {
  const code = networkCode(cause) ?? "";
  const reason = code === "" && cause instanceof Error ? cause.message : code;
  const make = (name: ImageErrorCode, text: string): DvmError => imageError(name, text, { cause });
  if (TIMEOUT.has(code))
    return make("REGISTRY_TIMEOUT", `registry ${host} does not answer in time`);
  if (CERTIFICATE.test(code))
    return make("REGISTRY_TLS", `the certificate of registry ${host} is not trusted: ${code}`);
  if (code === "EPROTO" || code.startsWith("ERR_SSL_"))
    return imageError("REGISTRY_TLS", `registry ${host} does not speak TLS: ${code}`, {
      cause,
      hint: "if it is meant to speak plain HTTP, name the host in DVM_INSECURE_REGISTRIES or registries.json",
    });
  if (UNREACHABLE.has(code))
    return make("REGISTRY_UNREACHABLE", `cannot connect to registry ${host}: ${code}`);
  return make("REGISTRY_FAILED", `the connection to registry ${host} failed: ${excerpt(reason)}`);
}

/** What a refused request was about. */
export interface RefusedRequest {
  readonly status: number;
  /** registry and repository, for the message */
  readonly where: string;
  /** what was asked for, such as `manifest latest` */
  readonly what: string;
  /** body of the answer, or as much of it as was read */
  readonly body: Buffer;
}

/** The error for an answer that is no success. */
export function statusError({ status, where, what, body }: RefusedRequest): Error {
  const said = registryMessage(body);
  const text = `${where}: ${what}: ${said === "" ? `HTTP ${status}` : `${said} (HTTP ${status})`}`;
  if (status === 401) return imageError("REGISTRY_UNAUTHORIZED", `not authorized: ${text}`);
  if (status === 403) return imageError("REGISTRY_DENIED", `denied: ${text}`);
  if (status === 404) return imageError("IMAGE_NOT_FOUND", `not found: ${text}`);
  if (status === 408 || status === 504) return imageError("REGISTRY_TIMEOUT", `timed out: ${text}`);
  if (status === 429) return imageError("REGISTRY_RATE_LIMITED", `too many requests: ${text}`);
  if (status >= 500) return imageError("REGISTRY_FAILED", `registry failed: ${text}`);
  return imageError("REGISTRY_PROTOCOL", `unexpected answer: ${text}`);
}

/** The first error's message (distribution-spec v1.1, "Error Codes"); empty when there is none. */
function registryMessage(body: Buffer): string {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    if (typeof parsed !== "object" || parsed === null || !("errors" in parsed)) return "";
    const first: unknown = Array.isArray(parsed.errors) ? parsed.errors[0] : undefined;
    if (typeof first !== "object" || first === null) return "";
    const message = "message" in first ? first.message : undefined;
    const code = "code" in first ? first.code : undefined;
    return excerpt(String(message || code || ""));
  } catch {
    // A proxy's page, or a body that was cut.
    return "";
  }
}
