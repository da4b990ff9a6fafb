/** The page's style sheet: one for light and dark, no fonts and no files from elsewhere. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfaf6; --card: #ffffff; --ink: #1d2127; --soft: #667080; --line: #e4e1d8; --grid: #eceae3;
  --accent: #c2410c; --warn: #fff4dc; --warn-ink: #7a4b00;
  --namespaces-1: #2f6f9f; --namespaces-2: #3f8f7b; --namespaces-3: #7c6fb0; --namespaces-4: #6d7f2e;
  --namespaces-5: #7d8794; --vm-1: #d9480f; --vm-2: #c2255c; --vm-3: #b7791f; --vm-4: #8f3a84; --vm-5: #a34a2a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --card: #1b1f26; --ink: #e8e6e1; --soft: #98a2b0; --line: #2c323b; --grid: #262c34;
    --accent: #ff8a4c; --warn: #33290f; --warn-ink: #ffd88a;
    --namespaces-1: #6db3e6; --namespaces-2: #6fcdb3; --namespaces-3: #b3a6ec; --namespaces-4: #b5c96a;
    --namespaces-5: #a5afbc; --vm-1: #ff8a4c; --vm-2: #ff7fa8; --vm-3: #f2c14e; --vm-4: #d08ac8; --vm-5: #e0906c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 980px; margin: 0 auto; padding: 48px 24px 96px; }
h1 { font-size: 40px; line-height: 1.1; letter-spacing: -0.02em; margin: 0 0 8px; }
h2 { font-size: 24px; letter-spacing: -0.01em; margin: 0; }
h3 { font-size: 16px; margin: 0; }
p { margin: 8px 0; }
.lead { font-size: 18px; color: var(--soft); max-width: 46em; }
.soft, .how, caption { color: var(--soft); font-size: 14px; }
nav { display: flex; flex-wrap: wrap; gap: 8px 18px; margin: 20px 0 0; font-size: 14px; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.notice { background: var(--warn); color: var(--warn-ink); border-radius: 14px; padding: 8px 20px; margin: 24px 0 0; font-size: 15px; }
.notice p { margin: 6px 0; }
section { margin: 56px 0 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 20px 24px; margin: 18px 0 0; }
.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px; margin: 28px 0 0; }
.headline .card { margin: 0; padding: 16px 18px; }
.headline b { display: block; font-size: 30px; letter-spacing: -0.02em; line-height: 1.2; font-weight: 650; }
.headline small { color: var(--soft); display: block; line-height: 1.35; }
details { margin: 10px 0 0; font-size: 14px; }
summary { cursor: pointer; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; margin: 8px 0 0; }
caption { text-align: left; padding: 0 0 4px; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.plot { display: block; width: 100%; height: auto; margin: 10px 0 0; font: 13px system-ui, sans-serif; }
.plot text { fill: var(--ink); }
.plot .tick, .plot .axis-title { fill: var(--soft); font-size: 12px; }
.plot .group { font-weight: 600; font-size: 12px; fill: var(--soft); }
.plot .grid { stroke: var(--grid); }
.plot .frame { stroke: var(--line); }
.plot .figure { font-weight: 600; font-variant-numeric: tabular-nums; }
.plot .one { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 4; opacity: 0.55; }
.plot .range { stroke: currentColor; stroke-width: 2; opacity: 0.45; }
.plot .interval { stroke: currentColor; stroke-width: 4; opacity: 0.4; stroke-linecap: round; }
.plot .dot { fill: currentColor; opacity: 0.38; }
.plot .median, .plot .bar, .plot .point { fill: currentColor; }
.plot .bar { opacity: 0.85; }
.plot .line { fill: none; stroke: currentColor; stroke-width: 2.5; }
.plot .point { stroke: var(--card); stroke-width: 1.5; }
${colours()}
footer { margin: 64px 0 0; color: var(--soft); font-size: 14px; }
@media print { .card { break-inside: avoid; } }
`;

/** A class for each colour: `color` for the marks, `fill` for the text of names. */
function colours(): string {
  return ["namespaces", "vm"]
    .flatMap((kind) => [1, 2, 3, 4, 5].map((n) => `${kind}-${n}`))
    .map(
      (name) => `.${name} { color: var(--${name}); } .plot text.${name} { fill: var(--${name}); }`,
    )
    .join("\n");
}
