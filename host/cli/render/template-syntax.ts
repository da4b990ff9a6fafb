/** Templates of Go (text/template) as a tree: text, values, `if`, `range` and `with`. */

import { cliError } from "../errors.ts";

/** What is evaluated: the value of each command is the last argument of the next. */
export interface Pipeline {
  /** names that get the value; `range` has up to two */
  readonly variables: readonly string[];
  readonly commands: readonly Operand[][];
}

export type Operand =
  | { readonly kind: "literal"; readonly value: unknown }
  /** `.A.B`, `$x.A`, `(…).A`; a base of `undefined` is the dot */
  | {
      readonly kind: "path";
      readonly base: Operand | undefined;
      readonly fields: readonly string[];
    }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "pipeline"; readonly pipeline: Pipeline };

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "value"; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "range" | "with";
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

/** Deepest nesting of parentheses and blocks. */
const MAX_DEPTH = 100;
const TOKEN =
  /\s*("(?:[^"\\\n]|\\.)*"|`[^`]*`|-?\d+(?:\.\d+)?(?![\w.])|\$\w*|(?:\.[A-Za-z_]\w*)+|\.|:=|[A-Za-z_]\w*|[|(),=])/y;

/** @throws DvmError `USAGE` for what is beyond the part of the language that is known */
export function parseSyntax(text: string): readonly Node[] {
  const parser = new BlockParser([...pieces(text)]);
  const { nodes, end } = parser.block(0);
  if (end !== undefined) throw refused(`unexpected {{${end.join(" ")}}}`);
  return nodes;
}

type Piece =
  | { readonly text: string }
  /** the words of an action */
  | { readonly words: readonly string[] };

/** Splits text from actions; `{{-` and `-}}` take the blanks beside them away. */
function* pieces(source: string): Generator<Piece> {
  let at = 0;
  let trims = false;
  while (at < source.length) {
    const start = source.indexOf("{{", at);
    const text = source.slice(at, start < 0 ? undefined : start);
    const trimsNext = start >= 0 && /^-\s/.test(source.slice(start + 2, start + 4));
    const left = trims ? text.trimStart() : text;
    yield { text: trimsNext ? left.trimEnd() : left };
    if (start < 0) return;
    const { words, end, trimsAfter } = readAction(source, start + (trimsNext ? 3 : 2));
    if (words.length > 0) yield { words };
    at = end;
    trims = trimsAfter;
  }
}

/** @returns no words for a comment */
function readAction(source: string, start: number) {
  const comment = /\s*\/\*.*?\*\/\s*(?=-?\}\})/sy;
  comment.lastIndex = start;
  const words: string[] = [];
  let at = comment.test(source) ? comment.lastIndex : start;
  for (;;) {
    const close = /\s*(\s-)?\}\}/y;
    close.lastIndex = at;
    const closed = close.exec(source);
    if (closed !== null)
      return { words, end: close.lastIndex, trimsAfter: closed[1] !== undefined };
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(source);
    if (source.slice(at).trim() === "") throw refused("an action lacks its }}");
    if (token === null)
      throw refused(`cannot be read at ${JSON.stringify(source.slice(at, at + 20))}`);
    words.push(spaceBefore(token[0]) + (token[1] ?? ""));
    at = TOKEN.lastIndex;
  }
}

/** A field right behind a parenthesis is of its value: the blank that tells them apart is kept. */
function spaceBefore(token: string): string {
  return /^\s+\./.test(token) ? " " : "";
}

class BlockParser {
  readonly #pieces: readonly Piece[];
  #next = 0;

  constructor(all: readonly Piece[]) {
    this.#pieces = all;
  }

  /** Up to `end`, `else` or the end of the text. */
  block(depth: number): { readonly nodes: Node[]; readonly end: readonly string[] | undefined } {
    if (depth > MAX_DEPTH) throw refused("nested too deeply");
    const nodes: Node[] = [];
    for (;;) {
      const piece = this.#pieces[this.#next++];
      if (piece === undefined) return { nodes, end: undefined };
      if ("text" in piece) {
        if (piece.text !== "") nodes.push({ kind: "text", text: piece.text });
        continue;
      }
      const [first = "", ...rest] = piece.words;
      if (first === "end" || first === "else") return { nodes, end: piece.words };
      if (first === "if" || first === "range" || first === "with") {
        nodes.push(this.#control(first, rest, depth));
      } else nodes.push({ kind: "value", pipeline: parsePipeline(piece.words) });
    }
  }

  #control(kind: "if" | "range" | "with", words: readonly string[], depth: number): Node {
    const pipeline = parsePipeline(words);
    const { nodes: body, end } = this.block(depth + 1);
    if (end === undefined) throw refused(`{{${kind}}} without {{end}}`);
    if (end[0] === "end") return { kind, pipeline, body, otherwise: [] };
    const [, next, ...rest] = end;
    // {{else if}} is an if in the else, with one end for both
    if (next === "if" || next === "with") {
      return { kind, pipeline, body, otherwise: [this.#control(next, rest, depth + 1)] };
    }
    const other = this.block(depth + 1);
    if (other.end?.[0] !== "end") throw refused(`{{${kind}}} without {{end}}`);
    return { kind, pipeline, body, otherwise: other.nodes };
  }
}

function parsePipeline(words: readonly string[]): Pipeline {
  const parser = new PipelineParser(words);
  const pipeline = parser.pipeline(0);
  if (parser.rest !== undefined) throw refused(`unexpected ${parser.rest.trim()}`);
  return pipeline;
}

class PipelineParser {
  readonly #words: readonly string[];
  #next = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get rest(): string | undefined {
    return this.#words[this.#next];
  }

  pipeline(depth: number): Pipeline {
    if (depth > MAX_DEPTH) throw refused("nested too deeply");
    const variables = this.#variables();
    const commands: Operand[][] = [];
    do commands.push(this.#command(depth));
    while (this.#take("|"));
    return { variables, commands };
  }

  /** `$x :=` or `$i, $x :=`. */
  #variables(): string[] {
    const [a = "", b = "", c = "", d = ""] = this.#words.slice(this.#next);
    if (a.startsWith("$") && (b === ":=" || b === "=")) {
      this.#next += 2;
      return [a];
    }
    if (a.startsWith("$") && b === "," && c.startsWith("$") && d === ":=") {
      this.#next += 4;
      return [a, c];
    }
    return [];
  }

  #command(depth: number): Operand[] {
    const operands: Operand[] = [];
    for (;;) {
      const word = this.rest;
      if (word === undefined || word === "|" || word === ")") break;
      operands.push(this.#operand(depth));
    }
    if (operands.length === 0) throw refused("missing value");
    return operands;
  }

  #operand(depth: number): Operand {
    const word = (this.rest ?? "").trim();
    this.#next++;
    if (word === "(") {
      const pipeline = this.pipeline(depth + 1);
      if (!this.#take(")")) throw refused("unclosed parenthesis");
      return this.#fieldsOf({ kind: "pipeline", pipeline });
    }
    if (word === ".") return { kind: "path", base: undefined, fields: [] };
    if (word.startsWith(".")) return { kind: "path", base: undefined, fields: names(word) };
    if (word.startsWith("$")) return this.#fieldsOf({ kind: "variable", name: word });
    if (/^["`\d-]/.test(word)) return { kind: "literal", value: literal(word) };
    if (word === "true" || word === "false") return { kind: "literal", value: word === "true" };
    if (word === "nil") return { kind: "literal", value: null };
    if (/^\w+$/.test(word)) return { kind: "function", name: word };
    throw refused(`unexpected ${word}`);
  }

  #fieldsOf(base: Operand): Operand {
    const word = this.rest;
    if (word === undefined || !/^\.\w/.test(word)) return base;
    this.#next++;
    return { kind: "path", base, fields: names(word) };
  }

  #take(word: string): boolean {
    if (this.rest !== word) return false;
    this.#next++;
    return true;
  }
}

function names(path: string): string[] {
  return path.slice(1).split(".");
}

function literal(word: string): unknown {
  if (word.startsWith("`")) return word.slice(1, -1);
  try {
    return JSON.parse(word);
  } catch {
    throw refused(`not a value: ${word}`);
  }
}

export function refused(why: string): Error {
  return cliError("TEMPLATE", `template parsing error: template: ${why}`);
}
