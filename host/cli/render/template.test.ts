import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderRows } from "./rows.ts";
import { humanSize } from "./size.ts";
import { parseTemplate } from "./template.ts";

const value = {
  Name: "Box",
  List: ["a", "b"],
  Config: { Env: ["A=1"], Labels: { k: "v" } },
  Size: 3,
  Nothing: null,
};

describe("templates", () => {
  for (const [template, text] of [
    ["plain", "plain"],
    ["{{.Name}}:{{ .Size }}", "Box:3"],
    ["{{json .Config.Labels}}\\t{{json .}}", `{"k":"v"}\t${JSON.stringify(value)}`],
    ["{{.List}} {{.Config.Labels}} {{.Nothing}}", "[a b] map[k:v] <no value>"],
    ['{{index .List 1}} {{index .Config.Labels "k"}}', "b v"],
    ["{{upper .Name}} {{lower .Name}} {{len .List}}", "BOX box 2"],
  ] as const)
    test(`give ${text} for ${template}`, () => assert.equal(parseTemplate(template)(value), text));

  for (const template of [
    "{{.Missing}}",
    "{{range .List}}x{{end}}",
    "{{",
    "{{.Name",
    "{{index .List 9}}",
    "{{.__proto__}}",
  ])
    test(`that are like ${template} are refused`, () => {
      assert.throws(() => parseTemplate(template)(value), { code: "USAGE" });
    });
});

test("rows are a table, one's own table, JSON lines or text", () => {
  const rows = [
    { ID: "1", Name: "one" },
    { ID: "22", Name: "two" },
  ];
  const options = { table: "table {{.ID}}\t{{.Name}}", titles: { Name: "THE NAME" } };
  const render = (format: string | undefined) => renderRows(rows, { ...options, format });
  assert.equal(render(undefined), "ID   THE NAME\n1    one\n22   two\n");
  assert.equal(render("table {{.Name}}"), "THE NAME\none\ntwo\n");
  assert.equal(render("json"), '{"ID":"1","Name":"one"}\n{"ID":"22","Name":"two"}\n');
  assert.equal(render("{{.ID}}"), "1\n22\n");
});

test("sizes have three digits and decimal units", () => {
  const sizes = [0, 999, 1000, 1234, 12_345, 77_800_000, 1_100_000_000, 5e18].map(humanSize);
  assert.deepEqual(sizes, ["0B", "999B", "1kB", "1.23kB", "12.3kB", "77.8MB", "1.1GB", "5000PB"]);
});
