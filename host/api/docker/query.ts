/** Values of query parameters by the rules of Docker's daemon (moby api/server/httputils/form.go). */

import { apiError } from "./errors.ts";

const FALSE: ReadonlySet<string> = new Set(["", "0", "no", "false", "none"]);

/** The query of a request; of a parameter that comes twice the first counts. */
export class Query {
  readonly #values: URLSearchParams;

  constructor(values: URLSearchParams) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string {
    return this.#values.get(name) ?? "";
  }

  texts(name: string): string[] {
    return this.#values.getAll(name);
  }

  /** The value unless absent or empty. */
  given(name: string): string | undefined {
    const text = this.text(name);
    return text === "" ? undefined : text;
  }

  /** Anything but nothing, `0`, `no`, `false` and `none` is true. */
  flag(name: string): boolean {
    return !FALSE.has(this.text(name).toLowerCase().trim());
  }

  flagOr(name: string, absent: boolean): boolean {
    return this.has(name) ? this.flag(name) : absent;
  }

  /** @throws DvmError `BAD_REQUEST` */
  integer(name: string): number | undefined {
    const text = this.given(name);
    if (text === undefined) return undefined;
    const value = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(value)) {
      throw apiError("BAD_REQUEST", `invalid value for ${name}: ${JSON.stringify(text)}`);
    }
    return value;
  }
}
