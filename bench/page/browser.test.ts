import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { inflateSync } from "node:zlib";
import { missingProgram } from "../arms/refusals.ts";
import { sampleResult } from "../result/test-result.ts";
import { htmlPage } from "./html.ts";

const missing = await missingProgram("chromium");

/** Asks the browser for the boxes of all that a plot must show, and writes them where --dump-dom finds them. */
const MEASURE = `<script>
addEventListener("load", () => {
  const box = (node) => { const { width, height } = node.getBoundingClientRect(); return width > 0 || height > 0; };
  const plots = [...document.querySelectorAll("svg.plot")].map((plot) => ({
    kind: plot.classList[1],
    shown: plot.getBoundingClientRect().height > 50,
    axes: [...plot.querySelectorAll(".axis")].map((axis) => ({
      unit: axis.dataset.unit,
      shown: box(axis),
      title: axis.querySelector(".axis-title").textContent,
      marks: axis.querySelectorAll(".tick, .name").length,
    })),
    marks: [...plot.querySelectorAll(".dot, .bar, .point, .median")].filter(box).length,
    covered: [...plot.querySelectorAll(".figure")].filter((figure) => {
      const a = figure.getBoundingClientRect();
      return [...figure.parentNode.querySelectorAll(".median, .bar, .dot, .point")].some(
        (mark) => mark.getBoundingClientRect().right > a.left,
      );
    }).length,
    outside: [...plot.querySelectorAll("text, rect, circle")].filter((node) => {
      const [a, b] = [node.getBoundingClientRect(), plot.getBoundingClientRect()];
      return a.left < b.left - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 1;
    }).length,
  }));
  const wide = document.documentElement.scrollWidth > innerWidth;
  document.body.dataset.found = JSON.stringify({ plots, wide });
});
</script>`;

interface Found {
  readonly plots: readonly {
    readonly kind: string;
    readonly shown: boolean;
    readonly axes: readonly {
      readonly unit: string;
      readonly shown: boolean;
      readonly title: string;
      readonly marks: number;
    }[];
    readonly marks: number;
    /** figures that stand on a mark */
    readonly covered: number;
    readonly outside: number;
  }[];
  readonly wide: boolean;
}

describe("the page in a browser", { skip: missing ?? false }, () => {
  it("shows plots whose axes have names, marks and units, and nothing outside of them", async () => {
    using folder = new Folder();
    const dom = await folder.chromium(
      htmlPage(sampleResult).replace("</body>", `${MEASURE}</body>`),
      "--dump-dom",
    );
    const text = /data-found="([^"]*)"/.exec(dom)?.[1]?.replaceAll("&quot;", '"');
    const found: Found = JSON.parse(text ?? "null");
    assert.ok(found.plots.length >= 5);
    assert.equal(found.wide, false);
    for (const { kind, shown, axes, marks, covered, outside } of found.plots) {
      assert.ok(shown && marks > 0, kind);
      assert.equal(axes.length, 2, kind);
      assert.ok(
        axes.every((axis) => axis.shown && axis.unit !== "" && axis.marks > 0),
        kind,
      );
      assert.ok(
        axes.some(({ title, unit }) => title.includes(`[${unit}`)),
        kind,
      );
      assert.deepEqual({ covered, outside }, { covered: 0, outside: 0 }, kind);
    }
  });

  for (const theme of ["light", "dark"]) {
    it(`paints the ${theme} page`, async () => {
      using folder = new Folder();
      const file = join(folder.path, "shot.png");
      const dark =
        theme === "dark" ? ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] : [];
      await folder.chromium(
        htmlPage(sampleResult),
        `--screenshot=${file}`,
        "--window-size=1000,1400",
        ...dark,
      );
      const { colours, corner } = picture(readFileSync(file));
      // paper, card, grid, ink, and a colour for each arm with its shades
      assert.ok(colours > 50, `${colours} colours`);
      assert.equal(corner > 128, theme === "light", `the paper's brightness is ${corner}`);
    });
  }
});

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "dvm-bench-page-"));

  async chromium(page: string, ...flags: readonly string[]): Promise<string> {
    const file = join(this.path, "page.html");
    writeFileSync(file, page);
    const usual = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"];
    const own = `--user-data-dir=${join(this.path, "profile")}`;
    const { stdout } = await promisify(execFile)(
      "chromium",
      [...usual, own, ...flags, pathToFileURL(file).href],
      { maxBuffer: 2 ** 26, env: { ...process.env, HOME: this.path } },
    );
    return stdout;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Colours of a PNG file as chromium writes it: 8 bits, RGB or RGBA, not interlaced (PNG, third edition). */
function picture(file: Buffer): { readonly colours: number; readonly corner: number } {
  const data: Buffer[] = [];
  for (let at = 8; at < file.length; at += file.readUInt32BE(at) + 12)
    if (file.toString("latin1", at + 4, at + 8) === "IDAT")
      data.push(file.subarray(at + 8, at + 8 + file.readUInt32BE(at)));
  const [width, height, type] = [file.readUInt32BE(16), file.readUInt32BE(20), file[25]];
  const pixel = type === 6 ? 4 : 3;
  const lines = unfilter(inflateSync(Buffer.concat(data)), {
    stride: width * pixel,
    height,
    pixel,
  });
  const colours = new Set<number>();
  for (let at = 0; at < lines.length; at += pixel) colours.add(lines.readUIntBE(at, 3));
  return { colours: colours.size, corner: lines[0] ?? 0 };
}

interface Shape {
  readonly stride: number;
  readonly height: number;
  readonly pixel: number;
}

/** Undoes the filters of the lines (PNG, third edition, §9). */
function unfilter(packed: Buffer, { stride, height, pixel }: Shape): Buffer {
  const out = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = packed[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const a = x < pixel ? 0 : (out[y * stride + x - pixel] ?? 0);
      const b = y === 0 ? 0 : (out[(y - 1) * stride + x] ?? 0);
      const c = x < pixel || y === 0 ? 0 : (out[(y - 1) * stride + x - pixel] ?? 0);
      const near = [a, b, c].toSorted((p, q) => Math.abs(a + b - c - p) - Math.abs(a + b - c - q));
      const paeth = near[0] ?? 0;
      const guess = [0, a, b, (a + b) >> 1, paeth][filter ?? 0] ?? 0;
      out[y * stride + x] = ((packed[y * (stride + 1) + 1 + x] ?? 0) + guess) & 255;
    }
  }
  return out;
}
