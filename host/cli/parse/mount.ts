/** --mount: the long form of a mount, a line of CSV whose fields are `KEY=VALUE` (docker/cli opts/mount.go). */

import { resolve } from "node:path";
import type { ContainerConfig } from "../../api/engine-api.ts";
import { parseMemorySize } from "./memory-size.ts";
import type { TmpfsMount } from "./tmpfs.ts";

type MountConfig = NonNullable<ContainerConfig["mounts"]>[number];

/** A tmpfs is none of the mounts that have a source. */
export type ParsedMount = { readonly tmpfs: TmpfsMount } | { readonly mount: MountConfig };

interface Fields {
  type: string;
  source: string;
  target: string;
  readOnly: boolean;
  volume: {
    noCopy: boolean;
    subpath?: string;
    driver?: string;
    options: Record<string, string>;
    labels: Record<string, string>;
  };
  bind: { createSource: boolean };
  tmpfs: { size?: number; mode?: string };
  /** keys that belong to one type alone */
  readonly special: string[];
}

/** @throws Error with Docker's words */
export function parseMount(text: string): ParsedMount {
  const fields: Fields = {
    type: "volume",
    source: "",
    target: "",
    readOnly: false,
    volume: { noCopy: false, options: {}, labels: {} },
    bind: { createSource: false },
    tmpfs: {},
    special: [],
  };
  for (const field of splitFields(text)) takeField(fields, field);
  check(fields);
  return build(fields);
}

/** The fields of a line of CSV: those with commas or quotes are quoted, and quotes in them doubled (RFC 4180). */
function splitFields(text: string): string[] {
  const fields: string[] = [];
  let rest = text;
  for (;;) {
    const [whole = "", quoted, plain = ""] = /^(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)/.exec(rest) ?? [
      undefined,
    ];
    if (whole === "" && rest !== "" && !rest.startsWith(",")) {
      throw new Error(`parse error in ${JSON.stringify(text)}: bare " in non-quoted field`);
    }
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (whole.length === rest.length) return fields;
    rest = rest.slice(whole.length + 1);
  }
}

function takeField(fields: Fields, field: string): void {
  const equals = field.indexOf("=");
  const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
  const value = equals < 0 ? undefined : field.slice(equals + 1);
  if (key === "readonly" || key === "ro") {
    fields.readOnly = value === undefined || truth(key, value);
    return;
  }
  if (key === "volume-nocopy") {
    fields.special.push(key);
    fields.volume.noCopy = value === undefined || truth(key, value);
    return;
  }
  if (key === "bind-nonrecursive" || key === "bind-create-src") {
    fields.special.push(key);
    takeBindSwitch(fields, key, value === undefined || truth(key, value));
    return;
  }
  if (value === undefined) {
    throw new Error(`invalid field '${field}' must be a key=value pair`);
  }
  if (/^(volume|bind|tmpfs)-/.test(key)) fields.special.push(key);
  const take = Object.hasOwn(TAKERS, key) ? TAKERS[key] : undefined;
  if (take === undefined) throw new Error(`unexpected key '${key}' in '${field}'`);
  take(fields, value);
}

function takeBindSwitch(fields: Fields, key: string, isOn: boolean): void {
  if (key === "bind-create-src") fields.bind.createSource = isOn;
  else if (isOn) throw new Error("bind-nonrecursive is not supported: mounts below are shared too");
}

const target = (fields: Fields, value: string) => {
  fields.target = value;
};
const source = (fields: Fields, value: string) => {
  fields.source = value;
};

const TAKERS: Readonly<Record<string, (fields: Fields, value: string) => void>> = {
  type: (fields, value) => {
    fields.type = value.toLowerCase();
  },
  target,
  dst: target,
  destination: target,
  source,
  src: source,
  // for other systems' caches (Docker Desktop)
  consistency: () => {},
  "bind-propagation": (_, value) => {
    if (value === "private" || value === "rprivate") return;
    throw new Error(
      `bind-propagation ${value}: mounts do not spread between a host and a virtual machine`,
    );
  },
  "bind-recursive": (_, value) => {
    if (["enabled", "writable", "readonly"].includes(value)) return;
    throw new Error(`invalid value for bind-recursive: ${value}: mounts below are shared too`);
  },
  "volume-subpath": (fields, value) => {
    fields.volume.subpath = value;
  },
  "volume-driver": (fields, value) => {
    fields.volume.driver = value;
  },
  "volume-opt": (fields, value) => setPair(fields.volume.options, value),
  "volume-label": (fields, value) => setPair(fields.volume.labels, value),
  "tmpfs-size": (fields, value) => {
    fields.tmpfs.size = parseMemorySize(value);
  },
  "tmpfs-mode": (fields, value) => {
    if (!/^[0-7]{1,5}$/.test(value)) throw new Error(`invalid value for tmpfs-mode: ${value}`);
    fields.tmpfs.mode = value;
  },
};

function check({ type, source: from, target: to, special }: Fields): void {
  if (!["bind", "volume", "tmpfs"].includes(type)) {
    throw new Error(`mount type ${JSON.stringify(type)} is not supported: bind, volume, tmpfs are`);
  }
  if (to === "") throw new Error("target is required");
  if (type === "bind" && from === "") throw new Error("source is required for type bind");
  if (type === "tmpfs" && from !== "") throw new Error("source is not allowed for type tmpfs");
  const foreign = special.find((key) => !key.startsWith(`${type}-`));
  if (foreign === undefined) return;
  const kind = foreign.slice(0, foreign.indexOf("-"));
  throw new Error(`cannot mix '${kind}-*' options with mount type '${type}'`);
}

function build({ type, source: from, target: destination, ...fields }: Fields): ParsedMount {
  const common = { destination, readOnly: fields.readOnly, isLong: true } as const;
  if (type === "tmpfs") return { tmpfs: tmpfsMount(destination, fields) };
  if (type === "bind") {
    const path = from.startsWith(".") ? resolve(from) : from;
    return { mount: { type: "bind", source: path, ...common, ...fields.bind } };
  }
  const { noCopy, subpath, driver, options, labels } = fields.volume;
  return {
    mount: {
      type: "volume",
      name: from,
      ...common,
      noCopy,
      ...(subpath === undefined ? {} : { subpath }),
      ...(driver === undefined ? {} : { driver }),
      ...(Object.keys(options).length > 0 ? { driverOptions: options } : {}),
      ...(Object.keys(labels).length > 0 ? { labels } : {}),
    },
  };
}

function tmpfsMount(
  destination: string,
  { readOnly, tmpfs }: Pick<Fields, "readOnly" | "tmpfs">,
): TmpfsMount {
  return {
    destination,
    options: [
      ...["noexec", "nosuid", "nodev"],
      ...(readOnly ? ["ro"] : []),
      ...(tmpfs.size === undefined ? [] : [`size=${tmpfs.size}`]),
      ...(tmpfs.mode === undefined ? [] : [`mode=${tmpfs.mode}`]),
    ],
  };
}

/** As Go's strconv.ParseBool. */
function truth(key: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new Error(`invalid value for ${key}: ${value}`);
}

function setPair(pairs: Record<string, string>, text: string): void {
  const equals = text.indexOf("=");
  const key = equals < 0 ? text : text.slice(0, equals);
  Object.defineProperty(pairs, key, {
    value: equals < 0 ? "" : text.slice(equals + 1),
    enumerable: true,
    configurable: true,
    writable: true,
  });
}
