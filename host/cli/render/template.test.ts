import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DvmError } from "../../errors.ts";
import { renderRows } from "./rows.ts";
import { humanSize } from "./size.ts";
import { parseTemplate } from "./template.ts";

const value = {
  Name: "Box",
  List: ["a", "b"],
  Config: { Env: ["A=1"], Labels: { k: "v", "dotted.key": "d" } },
  Ports: { "80/tcp": [{ HostPort: "8080" }], "90/udp": null },
  Size: 3,
  Running: true,
  Nothing: null,
  Label: (name: string) => `label ${name}`,
};

describe("templates", () => {
  for (const [template, text] of [
    ["plain", "plain"],
    ["{{.Name}}:{{ .Size }}", "Box:3"],
    [
      "{{json .Config.Labels}}\\t{{json .}}",
      `{"k":"v","dotted.key":"d"}\t${JSON.stringify(value)}`,
    ],
    ["{{.List}} {{.Config.Env}} {{.Nothing}}", "[a b] [A=1] <no value>"],
    ['{{index .List 1}} {{index .Config.Labels "dotted.key"}}', "b d"],
    ["{{upper .Name}} {{lower .Name}} {{len .List}}", "BOX box 2"],
    ['{{.Config.Env | json}} {{join .List ","}} {{.Name | lower | upper}}', '["A=1"] a,b BOX'],
    ["{{range .List}}<{{.}}>{{end}}", "<a><b>"],
    ["{{range $i, $e := .List}}{{$i}}={{$e}} {{$.Name}};{{end}}", "0=a Box;1=b Box;"],
    ["{{range $k, $v := .Config.Labels}}{{$k}} {{end}}", "dotted.key k "],
    ["{{if .Running}}up{{else}}down{{end}}", "up"],
    ["{{if .Nothing}}1{{else if eq .Size 3}}2{{else}}3{{end}}", "2"],
    ["{{with .Config}}{{.Env}}{{end}}", "[A=1]"],
    ['{{(index (index .Ports "80/tcp") 0).HostPort}}', "8080"],
    [
      "{{range $p, $b := .Ports}}{{$p}}{{with $b}} {{(index . 0).HostPort}}{{end}};{{end}}",
      "80/tcp 8080;90/udp;",
    ],
    ["a {{- .Name -}} b", "aBoxb"],
    ["{{/* said to nobody */}}x", "x"],
    ["{{$x := .Size}}{{$x}}", "3"],
    ['{{printf "%-5s|%5d|%q" .Name .Size .Name}}', 'Box  |    3|"Box"'],
    [
      "{{and .Running .Name}} {{or .Nothing .Size}} {{not .Running}} {{gt .Size 2}}",
      "Box 3 false true",
    ],
    ['{{split "a:b" ":"}} {{truncate .Name 2}} {{pad .Name 1 1}}.', "[a b] Bo  Box ."],
    ['{{.Label "x"}} {{println .Name}}', "label x Box\n"],
    ["{{index .Config.Labels `none`}}.", "."],
  ] as const)
    test(`give ${JSON.stringify(text)} for ${template}`, () =>
      assert.equal(parseTemplate(template)(value), text));

  for (const template of [
    "{{.Missing}}",
    "{{range .Size}}x{{end}}",
    "{{range .List}}x",
    "{{",
    "{{.Name",
    "{{index .List 9}}",
    "{{.__proto__}}",
    "{{constructor}}",
    "{{end}}",
    '{{template "x"}}',
    "{{$y}}",
    "{{.Name .Size}}",
    `{{${"(".repeat(200)}.Name${")".repeat(200)}}}`,
  ])
    test(`that are like ${template.slice(0, 40)} are refused`, () => {
      assert.throws(() => parseTemplate(template)(value), { code: "TEMPLATE" });
    });

  test("whose end is missing are refused in words", () => {
    for (const cut of ["{{.Names", "{{ ", "a {{json . "]) {
      assert.throws(() => parseTemplate(cut), {
        message: "template parsing error: template: an action lacks its }}",
      });
    }
  });

  test("of any words are rendered or refused", () => {
    const words = ["{{", "}}", "-", " ", ".", "Name", ".List", "$x", ":=", "range", "if", "end"];
    const more = ["else", "(", ")", "|", '"', "`", "index", "printf", "1", "text", "/*", "*/"];
    const text = fc.array(fc.constantFrom(...words, ...more), { maxLength: 30 });
    const property = fc.property(text, (pieces) => {
      try {
        assert.equal(typeof parseTemplate(pieces.join(""))(value), "string");
      } catch (error) {
        assert.ok(error instanceof DvmError, String(error));
      }
    });
    fc.assert(property, { numRuns: 2000 });
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
  assert.equal(render("table {{upper .Name}}"), "THE NAME\nONE\nTWO\n");
  assert.equal(render("json"), '{"ID":"1","Name":"one"}\n{"ID":"22","Name":"two"}\n');
  assert.equal(render("{{json .}}"), '{"ID":"1","Name":"one"}\n{"ID":"22","Name":"two"}\n');
  assert.equal(render("{{.ID}}"), "1\n22\n");
});

test("sizes have three digits and decimal units", () => {
  const sizes = [0, 999, 1000, 1234, 12_345, 77_800_000, 1_100_000_000, 5e18].map(humanSize);
  assert.deepEqual(sizes, ["0B", "999B", "1kB", "1.23kB", "12.3kB", "77.8MB", "1.1GB", "5000PB"]);
});
