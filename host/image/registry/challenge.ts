/** `WWW-Authenticate`: what a server wants to see of its client (RFC 9110 §11.6.1). */

export interface Challenge {
  /** lower-case: `basic`, `bearer` */
  readonly scheme: string;
  /** by lower-case names */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Longest header looked at, in characters. */
const MAX_LENGTH = 16_384;
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;

/** The challenges of a header, in order; what cannot be read ends the list. */
export function parseChallenges(header: string): readonly Challenge[] {
  const text = header.slice(0, MAX_LENGTH);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  while (at < text.length) {
    take(/[\s,]*/y);
    const name = take(TOKEN)?.[0];
    if (name === undefined) break;
    const current = challenges.at(-1);
    if (take(/\s*=\s*/y) === null || current === undefined) {
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
      continue;
    }
    const quoted = take(QUOTED);
    const value = quoted === null ? take(TOKEN)?.[0] : quoted[1]?.replaceAll(/\\(.)/g, "$1");
    if (value === undefined) break;
    current.parameters.set(name.toLowerCase(), value);
  }
  return challenges;
}
