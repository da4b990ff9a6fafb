/**
 * UTF-8 to strings and back, losing nothing: a byte that is no part of valid UTF-8 is the lone surrogate U+DC00 + byte,
 * the convention of `Syscalls`.
 */

const ESCAPE = 0xdc00;

/** The bytes of `text`. */
export function encodeText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) {
      bytes[length++] = code;
    } else if (code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff) {
      bytes[length++] = code - ESCAPE;
    } else {
      const more = code < 0x800 ? 1 : code < 0x1_0000 ? 2 : 3;
      bytes[length++] = LEAD[more] | (code >> (6 * more));
      for (let shift = more - 1; shift >= 0; shift--)
        bytes[length++] = 0x80 | ((code >> (6 * shift)) & 0x3f);
    }
  }
  return bytes.slice(0, length);
}

/** The text of `bytes`. */
export function decodeText(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = endOfAscii(bytes, at);
    if (end > at) {
      // `apply` takes anything with a length and elements, which its type does not say.
      const run: ArrayLike<number> = bytes.subarray(at, end);
      parts.push(String.fromCharCode.apply(null, run as number[]));
      at = end;
    } else {
      const { code, length } = decodeOne(bytes, at);
      parts.push(String.fromCodePoint(code));
      at += length;
    }
  }
  return parts.join("");
}

/** most characters that are made into a string at once: they are arguments of one call */
const MAX_RUN = 4096;

/** Text is ASCII for the most part: whole runs of it need no decoding. */
function endOfAscii(bytes: Uint8Array, start: number): number {
  const limit = Math.min(bytes.length, start + MAX_RUN);
  let at = start;
  while (at < limit && (bytes[at] ?? 0x80) < 0x80) at++;
  return at;
}

/** marks of a first byte by the number of bytes that follow */
const LEAD = [0, 0xc0, 0xe0, 0xf0] as const;
/** least code point by the number of bytes that follow: less would be an overlong form */
const LEAST = [0, 0x80, 0x800, 0x1_0000] as const;

function decodeOne(
  bytes: Uint8Array,
  at: number,
): { readonly code: number; readonly length: number } {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return { code: first, length: 1 };
  const escaped = { code: ESCAPE + first, length: 1 };
  const more = first >= 0xf8 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
  if (more === 0) return escaped;
  let code = first & (0x3f >> more);
  for (let index = 1; index <= more; index++) {
    const next = bytes[at + index] ?? 0;
    if ((next & 0xc0) !== 0x80) return escaped;
    code = (code << 6) | (next & 0x3f);
  }
  const surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < LEAST[more] || code > 0x10_ffff || surrogate ? escaped : { code, length: more + 1 };
}
