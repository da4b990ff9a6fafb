/** Flags that several image commands share, and what they mean. */

import { asText, booleanFlag, listFlag, valueFlag } from "./flag-set.ts";

export const helpFlag = { help: booleanFlag({ help: "Print usage" }) } as const;

export const platformFlag = {
  platform: valueFlag({
    placeholder: "string",
    help: "Set platform if server is multi-platform capable",
    parse: asText,
  }),
} as const;

export const insecureFlag = {
  "insecure-registry": listFlag({
    help: "Host that may be spoken to without TLS (HOST[:PORT])",
    parse: asText,
  }),
} as const;

export const filterFlag = {
  filter: listFlag({
    short: "f",
    placeholder: "filter",
    help: 'Filter output based on conditions provided (e.g. "dangling=true")',
    parse: parseFilter,
  }),
} as const;

/** `KEY=VALUE`. @throws Error for another form */
export function parseFilter(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals <= 0) throw new Error("invalid filter: it must be of the form KEY=VALUE");
  return [text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim()];
}

/** The values of each key. */
export function filterValues(
  filters: readonly (readonly [string, string])[],
): Readonly<Record<string, readonly string[]>> {
  const grouped = Map.groupBy(filters, ([key]) => key);
  return Object.fromEntries(
    [...grouped].map(([key, pairs]) => [key, pairs.map(([, value]) => value)]),
  );
}
