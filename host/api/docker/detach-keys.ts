/** The keys that take a client off a container's terminal (moby pkg term, ascii.go and proxy.go). */

import { Buffer } from "node:buffer";
import { Transform } from "node:stream";
import { apiError } from "./errors.ts";

/** Docker's own choice. */
export const DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q";

/** What may follow `ctrl-`, beside letters. */
const CONTROLS: Readonly<Record<string, number>> = {
  "@": 0,
  "[": 27,
  "\\": 28,
  "]": 29,
  "^": 30,
  _: 31,
};

/** The bytes of a key list such as `ctrl-p,ctrl-q` or `a,b`. @throws DvmError `BAD_REQUEST` */
export function parseDetachKeys(text: string): Buffer {
  const bytes = text.split(",").map((key) => {
    const byte = keyByte(key);
    if (byte === undefined) {
      throw apiError("BAD_REQUEST", `invalid detach keys (${text.slice(0, 100)}) provided`);
    }
    return byte;
  });
  return Buffer.from(bytes);
}

function keyByte(key: string): number | undefined {
  if (key.length === 1) {
    const code = key.charCodeAt(0);
    return code < 128 ? code : undefined;
  }
  if (!key.startsWith("ctrl-") || key.length !== "ctrl-".length + 1) return undefined;
  const letter = key.slice(-1);
  if (/^[a-z]$/.test(letter)) return letter.charCodeAt(0) - 96;
  return CONTROLS[letter];
}

/**
 * Passes input on until the keys come in a row, then calls `onDetach` and swallows the rest. Keys that might be a
 * beginning are held back until the next one tells.
 */
export function detachKeyFilter(keys: Buffer, onDetach: () => void): Transform {
  let matched = 0;
  let detached = false;

  /** The bytes to pass on. */
  function take(chunk: Buffer): Buffer {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (byte !== keys[matched]) {
        passed.push(...keys.subarray(0, matched));
        matched = 0;
      }
      if (byte !== keys[matched]) passed.push(byte);
      else if (++matched === keys.length) {
        detached = true;
        break;
      }
    }
    return Buffer.from(passed);
  }

  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      if (detached) return callback();
      if (matched === 0 && !chunk.includes(keys[0] ?? 0)) return callback(null, chunk);
      const passed = take(chunk);
      if (passed.length > 0) this.push(passed);
      if (detached) onDetach();
      callback();
    },
    flush(callback) {
      callback(null, detached ? undefined : keys.subarray(0, matched));
    },
  });
}
