/** Text of strangers made fit to be shown: guests, images and registries must not command the user's terminal. */

/**
 * C0 but tab and newline, DEL, C1, and what changes the direction of writing (Unicode 15, UAX #9 §2): a terminal
 * obeys the former, and the latter makes a line read as something else.
 */
const OBEYED =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Spells such characters out, `\x1b`; all others stay. */
export function printableText(text: string): string {
  return text.replace(OBEYED, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}
