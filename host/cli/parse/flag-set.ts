/**
 * The flag grammar of Docker's command line, which is that of Go's pflag: `--name value`, `--name=value`,
 * `-n value`, `-nvalue`, `-n=value`, grouped booleans (`-it`), `--bool=false`, and `--` to end them.
 */

import { cliError } from "../errors.ts";

/** One flag: how it is written, how its help reads, and how a value is taken. */
export interface Flag<T> {
  /** one letter */
  readonly short?: string;
  /** what the help calls its value; empty: a boolean */
  readonly placeholder: string;
  readonly help: string;
  /** value when it is not given */
  readonly initial: T;
  /** the default as the help shows it */
  readonly defaultText?: string;
  /** accepted, not shown in the help */
  readonly hidden?: boolean;
  /** an older long name that is taken too, not shown in the help */
  readonly oldName?: string;
  /** Takes one occurrence. @throws Error whose message says what is wrong with `text` */
  take(text: string, previous: T): T;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** The values by the flags' names. */
export type FlagValues<F extends FlagTable> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

export interface ParsedFlags<F extends FlagTable> {
  readonly values: FlagValues<F>;
  /** names of the flags that were given */
  readonly given: ReadonlySet<string>;
  /** what is no flag, in order */
  readonly args: readonly string[];
}

/** Thrown for --help where a table has it: no error, and nothing else is to be done. */
export class HelpRequest extends Error {}

interface FlagOptions {
  readonly short?: string;
  readonly help: string;
  readonly hidden?: boolean;
  readonly oldName?: string;
}

/** A flag that is on or off. */
export function booleanFlag(options: FlagOptions & { readonly initial?: boolean }): Flag<boolean> {
  const initial = options.initial ?? false;
  return {
    ...options,
    placeholder: "",
    initial,
    ...(initial ? { defaultText: "true" } : {}),
    take: parseBoolean,
  };
}

/** A flag whose last value counts. */
export function valueFlag<T>(
  options: FlagOptions & {
    readonly placeholder: string;
    readonly parse: (text: string) => T;
    readonly defaultText?: string;
  },
): Flag<T | undefined> {
  const { parse, ...rest } = options;
  return { ...rest, initial: undefined, take: (text) => parse(text) };
}

/** A flag that may be given several times. */
export function listFlag<T>(
  options: FlagOptions & {
    readonly placeholder?: string;
    readonly parse: (text: string) => T;
  },
): Flag<readonly T[]> {
  const { parse, ...rest } = options;
  return {
    ...rest,
    placeholder: options.placeholder ?? "list",
    initial: [],
    take: (text, previous) => [...previous, parse(text)],
  };
}

/** A value taken as it is. */
export const asText = (text: string): string => text;

/**
 * Parses `words`. With `interspersed` false the first argument ends the flags, as for commands that take a
 * command line of their own.
 *
 * @throws DvmError `USAGE`; HelpRequest for --help
 */
export function parseFlags<const F extends FlagTable>(
  table: F,
  words: readonly string[],
  options: { readonly interspersed: boolean } = { interspersed: true },
): ParsedFlags<F> {
  const parser = new FlagParser(table, words);
  parser.run(options.interspersed);
  if (parser.values.get("help") === true) throw new HelpRequest();
  return {
    values: Object.fromEntries(parser.values) as FlagValues<F>,
    given: parser.given,
    args: parser.args,
  };
}

class FlagParser {
  readonly values = new Map<string, unknown>();
  readonly given = new Set<string>();
  readonly args: string[] = [];
  readonly #table: FlagTable;
  readonly #words: readonly string[];
  readonly #shorts = new Map<string, string>();
  readonly #oldNames = new Map<string, string>();
  #next = 0;

  constructor(table: FlagTable, words: readonly string[]) {
    this.#table = table;
    this.#words = words;
    for (const [name, flag] of Object.entries(table)) {
      this.values.set(name, flag.initial);
      if (flag.short !== undefined) this.#shorts.set(flag.short, name);
      if (flag.oldName !== undefined) this.#oldNames.set(flag.oldName, name);
    }
  }

  run(interspersed: boolean): void {
    for (;;) {
      const word = this.#words[this.#next];
      if (word === undefined) return;
      const isFlag = word.length > 1 && word.startsWith("-");
      if (word === "--" || (!isFlag && !interspersed)) {
        this.args.push(...this.#words.slice(this.#next + (word === "--" ? 1 : 0)));
        return;
      }
      this.#next++;
      if (!isFlag) this.args.push(word);
      else if (word.startsWith("--")) this.#long(word);
      else this.#group(word);
    }
  }

  #long(word: string): void {
    const equals = word.indexOf("=");
    const given = word.slice(2, equals < 0 ? undefined : equals);
    const name = this.#oldNames.get(given) ?? given;
    if (name === "" || name.startsWith("-")) throw usage(`bad flag syntax: ${word}`);
    const flag = Object.hasOwn(this.#table, name) ? this.#table[name] : undefined;
    if (flag === undefined) throw usage(`unknown flag: --${name}`);
    if (equals >= 0) this.#set(name, flag, word.slice(equals + 1));
    else if (flag.placeholder === "") this.#set(name, flag, "true");
    else this.#set(name, flag, this.#following(`flag needs an argument: --${name}`));
  }

  #group(word: string): void {
    for (let at = 1; at < word.length; at++) {
      const letter = word.charAt(at);
      const name = this.#shorts.get(letter);
      const flag = name === undefined ? undefined : this.#table[name];
      if (name === undefined || flag === undefined) {
        throw usage(`unknown shorthand flag: '${letter}' in ${word}`);
      }
      const rest = word.slice(at + 1);
      if (rest.startsWith("=") && rest.length > 1) {
        this.#set(name, flag, rest.slice(1));
        return;
      }
      if (flag.placeholder !== "") {
        const missing = `flag needs an argument: '${letter}' in ${word}`;
        this.#set(name, flag, rest === "" ? this.#following(missing) : rest);
        return;
      }
      this.#set(name, flag, "true");
    }
  }

  #following(missing: string): string {
    const word = this.#words[this.#next];
    if (word === undefined) throw usage(missing);
    this.#next++;
    return word;
  }

  #set(name: string, flag: Flag<unknown>, text: string): void {
    try {
      this.values.set(name, flag.take(text, this.values.get(name)));
    } catch (cause) {
      const shown = flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw usage(`invalid argument ${JSON.stringify(text)} for "${shown}" flag: ${reason}`);
    }
    this.given.add(name);
  }
}

/** The spellings that Go's strconv.ParseBool takes. */
function parseBoolean(text: string): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function usage(message: string): Error {
  return cliError("USAGE", message);
}
