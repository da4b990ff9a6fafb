/** Pieces of SVG: elements as text, with everything escaped that comes from a result. */

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** One element; `children` are elements already. */
export function element(
  name: string,
  attributes: Attributes,
  ...children: readonly string[]
): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) =>
        ` ${key}="${escapeMarkup(typeof value === "number" ? short(value) : `${value}`)}"`,
    )
    .join("");
  return children.length === 0
    ? `<${name}${written}/>`
    : `<${name}${written}>${children.join("")}</${name}>`;
}

/** Text at a place. */
export function label(x: number, y: number, text: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escapeMarkup(text));
}

export interface PlotOptions {
  readonly width: number;
  readonly height: number;
  /** what it shows, for those who cannot see it */
  readonly title: string;
  readonly kind: string;
}

/** A whole plot. */
export function plot(
  { width, height, title, kind }: PlotOptions,
  ...children: readonly string[]
): string {
  return element(
    "svg",
    {
      class: `plot ${kind}`,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": title,
    },
    element("title", {}, escapeMarkup(title)),
    ...children,
  );
}

/** Also for HTML text and attributes. */
export function escapeMarkup(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** Two decimals are a hundredth of a pixel. */
function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}
