/** What QEMU says over QMP (docs/interop/qmp-spec.txt): one JSON object a line, checked field by field. */

export type QmpMessage =
  | { readonly kind: "greeting"; readonly version: string }
  | { readonly kind: "return"; readonly id: number; readonly value: unknown }
  | { readonly kind: "error"; readonly id: number | undefined; readonly description: string }
  | QmpEvent;

export interface QmpEvent {
  readonly kind: "event";
  /** such as `SHUTDOWN` */
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Reads one line.
 *
 * @throws {TypeError} saying what is wrong with it
 */
export function parseQmpMessage(line: string): QmpMessage {
  const message = jsonObject(line);
  if ("QMP" in message) return { kind: "greeting", version: versionOf(message.QMP) };
  if ("event" in message) {
    const { event, data = {} } = message;
    if (typeof event !== "string" || !isObject(data)) throw new TypeError("a malformed event");
    return { kind: "event", name: event, data };
  }
  if ("error" in message) {
    const { error, id } = message;
    if (!isObject(error) || typeof error.desc !== "string") {
      throw new TypeError("a malformed error");
    }
    return {
      kind: "error",
      id: id === undefined ? undefined : idOf(id),
      description: error.desc,
    };
  }
  if ("return" in message) {
    return { kind: "return", id: idOf(message.id), value: message.return };
  }
  throw new TypeError("an object that is no greeting, event, error or return");
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function jsonObject(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new TypeError("a line that is no JSON");
  }
  if (!isObject(value)) throw new TypeError("a line that is no JSON object");
  return value;
}

function idOf(value: unknown): number {
  if (typeof value !== "number") throw new TypeError("an answer without the id of a command");
  return value;
}

function versionOf(greeting: unknown): string {
  const version = isObject(greeting) ? greeting.version : undefined;
  const qemu = isObject(version) ? version.qemu : undefined;
  if (!isObject(qemu)) throw new TypeError("a greeting without a version");
  return [qemu.major, qemu.minor, qemu.micro].map(Number).join(".");
}
