/** Records of a PAX extended header: `LENGTH KEY=VALUE\n` (IEEE 1003.1 pax, "pax Extended Header"). */
import { excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";

/** What an extended header says; strings are raw bytes, one per UTF-16 unit. */
export interface PaxRecords {
  /** values by key; an empty value takes the record back */
  readonly values: ReadonlyMap<string, string>;
  /** GNU sparse 0.0's repeated offset and length records, in their order */
  readonly sparse: readonly number[];
}

export const EMPTY_PAX: PaxRecords = { values: new Map(), sparse: [] };

/** Records that GNU's sparse format 0.0 repeats (tar manual, "Storing Sparse Files"). */
const REPEATED = new Set(["GNU.sparse.offset", "GNU.sparse.numbytes"]);

/**
 * Parses the body of an extended header.
 * @throws LAYER_CORRUPT when it breaks its format, LAYER_ENTRY_REFUSED when it contradicts itself
 */
export function parsePaxRecords(body: Buffer): PaxRecords {
  const values = new Map<string, string>();
  const sparse: number[] = [];
  for (let at = 0; at < body.length; ) {
    const { key, value, end } = parseRecord(body, at);
    at = end;
    if (REPEATED.has(key)) sparse.push(takeInOrder(key, value, sparse.length));
    else if ((values.get(key) ?? value) !== value)
      throw imageError(
        "LAYER_ENTRY_REFUSED",
        `PAX header states ${excerpt(key)} twice, differently`,
      );
    else values.set(key, value);
  }
  if (sparse.length % 2 !== 0) throw corrupt("a sparse offset without its length");
  return { values, sparse };
}

/** A whole number of zero or more. @throws LAYER_CORRUPT */
export function paxNumber(value: string, key: string): number {
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number))
    throw corrupt(`${excerpt(key)} is not a number: ${excerpt(value)}`);
  return number;
}

/** A time: seconds with an optional sign and fraction, split so that the nanoseconds count forward. @throws LAYER_CORRUPT */
export function paxTime(value: string, key: string): { seconds: number; nanoseconds: number } {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw corrupt(`${excerpt(key)} is not a time: ${excerpt(value)}`);
  const whole = Number(match[2]);
  const fraction = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] === "") return { seconds: whole, nanoseconds: fraction };
  if (fraction === 0) return { seconds: whole === 0 ? 0 : -whole, nanoseconds: 0 };
  return { seconds: -whole - 1, nanoseconds: 1_000_000_000 - fraction };
}

function parseRecord(body: Buffer, start: number): { key: string; value: string; end: number } {
  let length = 0;
  let at = start;
  for (; at < body.length && at - start < 8; at++) {
    const digit = (body[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    length = length * 10 + digit;
  }
  const end = start + length;
  if (at === start || body[at] !== 0x20 || end > body.length || end <= at + 1)
    throw corrupt("a record's length is wrong");
  if (body[end - 1] !== 0x0a) throw corrupt("a record does not end with its line");
  const equals = body.indexOf(0x3d, at + 1);
  if (equals < 0 || equals >= end || equals === at + 1) throw corrupt("a record without a key");
  return {
    key: body.toString("latin1", at + 1, equals),
    value: body.toString("latin1", equals + 1, end - 1),
    end,
  };
}

function takeInOrder(key: string, value: string, count: number): number {
  const expected = count % 2 === 0 ? "GNU.sparse.offset" : "GNU.sparse.numbytes";
  if (key !== expected) throw corrupt("sparse offsets and lengths do not alternate");
  return paxNumber(value, key);
}

function corrupt(what: string): Error {
  return imageError("LAYER_CORRUPT", `corrupt PAX header: ${what}`);
}
