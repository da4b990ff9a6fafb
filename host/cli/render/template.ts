/** Go's templates (text/template) as `--format` is used with them: values, pipelines, functions, `if`, `range`, `with`. */

import { isTrue, show, templateFunctions } from "./template-functions.ts";
import { type Node, type Operand, type Pipeline, parseSyntax, refused } from "./template-syntax.ts";

export type Template = (value: unknown) => string;

/** What a field that is not there has; absent: there is none, and that is an error. */
type Missing = (name: string) => unknown;

interface Scope {
  readonly dot: unknown;
  readonly variables: ReadonlyMap<string, unknown>;
  readonly missing: Missing;
}

/** @throws DvmError `USAGE` for what is beyond the part of the language that is known */
export function parseTemplate(text: string): Template {
  const nodes = parseSyntax(unescaped(text));
  return (value) => render(nodes, scopeOf(value, noSuchField));
}

/** The headers of a `table` template: what it makes of the fields' titles. */
export function templateHeaders(text: string, titles: Readonly<Record<string, string>>): string {
  const nodes = parseSyntax(unescaped(text));
  return render(nodes, scopeOf(titles, titleOf));
}

/** A method such as `.Label "com.example.name"` has the argument's last part. */
function titleOf(name: string): unknown {
  if (name !== "Label") return name.toUpperCase();
  return (label: string) => label.slice(label.lastIndexOf(".") + 1).replace(/[-_]/g, " ");
}

function scopeOf(value: unknown, missing: Missing): Scope {
  return { dot: value, variables: new Map([["$", value]]), missing };
}

/** Docker takes `\t` and `\n` for what they mean in Go. */
function unescaped(text: string): string {
  return text.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
}

function noSuchField(name: string): never {
  throw refused(`there is no field .${name}`);
}

function render(nodes: readonly Node[], outer: Scope): string {
  let scope = outer;
  let text = "";
  for (const node of nodes) {
    if (node.kind === "text") text += node.text;
    else if (node.kind === "value") {
      const value = evaluate(node.pipeline, scope);
      const [name] = node.pipeline.variables;
      if (name === undefined) text += show(value);
      else scope = { ...scope, variables: new Map([...scope.variables, [name, value]]) };
    } else text += renderBlock(node, scope);
  }
  return text;
}

function renderBlock(node: Exclude<Node, { kind: "text" | "value" }>, scope: Scope): string {
  const value = evaluate(node.pipeline, scope);
  if (!isTrue(value)) return render(node.otherwise, scope);
  const { variables } = node.pipeline;
  if (node.kind !== "range") {
    const named = withVariables(scope, variables.length === 0 ? [] : [[variables[0], value]]);
    return render(node.body, node.kind === "with" ? { ...named, dot: value } : named);
  }
  return entriesOf(value)
    .map(([key, each]) => {
      const [first, second] = variables;
      const bound: [string | undefined, unknown][] =
        second === undefined
          ? [[first, each]]
          : [
              [first, key],
              [second, each],
            ];
      return render(node.body, { ...withVariables(scope, bound), dot: each });
    })
    .join("");
}

function withVariables(
  scope: Scope,
  bound: readonly (readonly [string | undefined, unknown])[],
): Scope {
  const variables = new Map(scope.variables);
  for (const [name, value] of bound) if (name !== undefined) variables.set(name, value);
  return { ...scope, variables };
}

/** A list's items by number, a map's by key, in order (Go sorts them). */
function entriesOf(value: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(value)) return [...value.entries()];
  if (typeof value !== "object" || value === null) throw refused(`range over ${show(value)}`);
  return Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function evaluate({ commands }: Pipeline, scope: Scope): unknown {
  let value: unknown;
  for (const [index, operands] of commands.entries()) {
    value = runCommand(operands, index === 0 ? [] : [value], scope);
  }
  return value;
}

function runCommand(
  [first, ...rest]: readonly Operand[],
  piped: readonly unknown[],
  scope: Scope,
): unknown {
  if (first === undefined) throw refused("missing value");
  const values = [...rest.map((operand) => operandValue(operand, scope)), ...piped];
  if (first.kind === "function") return functionNamed(first.name)(...values);
  const value = operandValue(first, scope);
  // methods are written as fields
  if (typeof value === "function") return value(...values);
  if (values.length > 0) throw refused("a value is no function");
  return value;
}

function functionNamed(name: string) {
  const found = templateFunctions.get(name);
  if (found === undefined) throw refused(`function ${JSON.stringify(name)} is not known`);
  return found;
}

function operandValue(operand: Operand, scope: Scope): unknown {
  switch (operand.kind) {
    case "literal":
      return operand.value;
    case "variable":
      if (!scope.variables.has(operand.name)) throw refused(`undefined variable ${operand.name}`);
      return scope.variables.get(operand.name);
    case "pipeline":
      return evaluate(operand.pipeline, scope);
    case "function":
      return functionNamed(operand.name)();
    case "path": {
      const { base, fields } = operand;
      const start = base === undefined ? scope.dot : operandValue(base, scope);
      return fields.reduce((value, name) => field(value, name, scope.missing), start);
    }
  }
}

function field(value: unknown, name: string, missing: Missing): unknown {
  if (typeof value === "object" && value !== null && Object.hasOwn(value, name)) {
    return (value as Readonly<Record<string, unknown>>)[name];
  }
  return missing(name);
}
