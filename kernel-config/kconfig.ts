/**
 * As much of the Kconfig language as it takes to say why an option was refused: who depends on what, who selects whom.
 * The kernel's own tool decides; this only explains (Documentation/kbuild/kconfig-language.rst).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the Kconfig files say of one option. */
export interface KconfigDefinition {
  /** dependencies, one list a definition: one of the lists must hold as a whole */
  readonly dependencies: readonly (readonly string[])[];
  /** options that switch this one on */
  readonly selectedBy: readonly string[];
  /** whether the user may choose at all */
  readonly hasPrompt: boolean;
}

/** Definitions by option name without CONFIG_ prefix. */
export type KconfigDefinitions = ReadonlyMap<string, KconfigDefinition>;

interface Block {
  readonly kind: "if" | "menu" | "choice";
  readonly conditions: string[];
}

interface Reader {
  readonly source: string;
  readonly dependencies: Map<string, string[][]>;
  readonly selectedBy: Map<string, string[]>;
  readonly prompted: Set<string>;
  readonly blocks: Block[];
}

/** Reads the Kconfig files of a source tree for this architecture, from the topmost on. */
export function readKconfig(source: string): KconfigDefinitions {
  const reader: Reader = {
    source,
    dependencies: new Map(),
    selectedBy: new Map(),
    prompted: new Set(),
    blocks: [],
  };
  readFile(reader, "Kconfig");
  return new Map(
    [...reader.dependencies].map(([name, dependencies]) => [
      name,
      {
        dependencies,
        selectedBy: reader.selectedBy.get(name) ?? [],
        hasPrompt: reader.prompted.has(name),
      },
    ]),
  );
}

/** Names the dependencies that the configuration does not meet, of the definition that is nearest to being met. */
export function unmetDependencies(
  definition: Pick<KconfigDefinition, "dependencies">,
  configuration: ReadonlyMap<string, string>,
): string[] {
  const [nearest = []] = definition.dependencies
    .map((list) =>
      list
        .flatMap(splitConjunction)
        .filter((expression) => !evaluateExpression(expression, configuration)),
    )
    .sort((a, b) => a.length - b.length);
  return [...new Set(nearest)];
}

/** Evaluates a Kconfig condition: names, !, &&, ||, =, != and parentheses; m counts as off, as nothing is a module. */
export function evaluateExpression(
  expression: string,
  configuration: ReadonlyMap<string, string>,
): boolean {
  const tokens = expression.match(/&&|\|\||!=|[!()=<>]|"[^"]*"|[^\s!()=<>&|]+/g) ?? [];
  let position = 0;
  const value = (token: string | undefined) =>
    token === undefined || /^["\d]/.test(token) || ["y", "m", "n"].includes(token)
      ? (token ?? "n").replaceAll('"', "")
      : (configuration.get(`CONFIG_${token}`) ?? "n").replaceAll('"', "");
  const unary = (): boolean => {
    const token = tokens[position++];
    if (token === "!") return !unary();
    if (token === "(") {
      const inner = either();
      position++;
      return inner;
    }
    const operator = tokens[position];
    if (operator !== "=" && operator !== "!=") return value(token) === "y";
    position++;
    return (value(token) === value(tokens[position++])) === (operator === "=");
  };
  const both = (): boolean => {
    let result = unary();
    while (tokens[position] === "&&") {
      position++;
      result = unary() && result;
    }
    return result;
  };
  const either = (): boolean => {
    let result = both();
    while (tokens[position] === "||") {
      position++;
      result = both() || result;
    }
    return result;
  };
  return either();
}

function readFile(reader: Reader, name: string): void {
  const path = join(reader.source, name.replaceAll("$(SRCARCH)", "x86"));
  if (!existsSync(path)) return;
  let option: string | undefined;
  let helpIndent: number | undefined;
  for (const line of readFileSync(path, "utf8").replaceAll("\\\n", " ").split("\n")) {
    const indent = line.search(/\S/);
    if (indent < 0) continue;
    if (helpIndent !== undefined && indent > helpIndent) continue;
    helpIndent = undefined;
    const [, keyword = "", rest = ""] = /^\s*([\w-]+)\s*(.*?)\s*(?:#.*)?$/.exec(line) ?? [];
    if (keyword === "help") helpIndent = indent;
    else if (keyword === "source") readFile(reader, rest.replaceAll('"', ""));
    else option = readLine(reader, option, keyword, rest);
  }
}

/** Takes one statement; returns the option that the next ones speak of. */
function readLine(
  reader: Reader,
  option: string | undefined,
  keyword: string,
  rest: string,
): string | undefined {
  switch (keyword) {
    case "config":
    case "menuconfig":
      append(
        reader.dependencies,
        rest,
        reader.blocks.flatMap((block) => block.conditions),
      );
      return rest;
    case "if":
      reader.blocks.push({ kind: "if", conditions: [rest] });
      return undefined;
    case "menu":
    case "choice":
      reader.blocks.push({ kind: keyword, conditions: [] });
      return undefined;
    case "endif":
    case "endmenu":
    case "endchoice":
      reader.blocks.pop();
      return undefined;
    case "depends":
      addDependency(reader, option, rest.replace(/^on\s+/, ""));
      return option;
    case "select":
      if (option !== undefined) append(reader.selectedBy, rest.split(/\s/)[0] ?? "", option);
      return option;
    case "bool":
    case "tristate":
    case "prompt":
    case "int":
    case "string":
      if (option !== undefined && rest !== "") reader.prompted.add(option);
      return option;
    default:
      return option;
  }
}

function addDependency(reader: Reader, option: string | undefined, condition: string): void {
  const list =
    option === undefined
      ? reader.blocks.at(-1)?.conditions
      : reader.dependencies.get(option)?.at(-1);
  list?.push(condition);
}

function append<Value>(lists: Map<string, Value[]>, name: string, value: Value): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [value]);
  else list.push(value);
}

function splitConjunction(expression: string): string[] {
  return /\|\||[()]/.test(expression) ? [expression] : expression.split(/\s*&&\s*/);
}
