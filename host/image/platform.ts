/** Platforms: which one a machine can run, and which manifest of an index is for it (OCI image-spec v1.1, image-index.md). */
import { excerpt } from "./digest.ts";
import { imageError } from "./errors.ts";

export interface Platform {
  /** operating system in Go's spelling, such as `linux` */
  readonly os: string;
  /** architecture in Go's spelling, such as `amd64` */
  readonly architecture: string;
  /** variant of the architecture, such as `v8`; empty for none */
  readonly variant: string;
}

/** Go's names for what Node and uname call otherwise. */
const ARCHITECTURE_ALIASES: ReadonlyMap<string, string> = new Map([
  ["x64", "amd64"],
  ["x86_64", "amd64"],
  ["x86-64", "amd64"],
  ["aarch64", "arm64"],
  ["ia32", "386"],
  ["i386", "386"],
  ["i686", "386"],
]);

/** The platform whose images run here. */
export function hostPlatform(): Platform {
  return normalize({ os: "linux", architecture: process.arch, variant: "" });
}

/**
 * Parses `OS/ARCHITECTURE[/VARIANT]`, or `ARCHITECTURE` alone for Linux.
 * @throws PLATFORM_INVALID
 */
export function parsePlatform(text: string): Platform {
  if (!/^\w[\w.-]*(?:\/\w[\w.-]*){0,2}$/.test(text))
    throw imageError("PLATFORM_INVALID", `not a platform: ${excerpt(text)}`);
  const parts = text.toLowerCase().split("/");
  if (parts.length === 1)
    return normalize({ os: "linux", architecture: parts[0] ?? "", variant: "" });
  return normalize({
    os: parts[0] ?? "",
    architecture: parts[1] ?? "",
    variant: parts[2] ?? "",
  });
}

/** Writes a platform as `OS/ARCHITECTURE[/VARIANT]`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return [os || "unknown", architecture || "unknown", ...(variant === "" ? [] : [variant])].join(
    "/",
  );
}

/**
 * Refuses a platform that this machine has no processor or kernel for.
 * @throws PLATFORM_UNAVAILABLE
 */
export function assertRunnable(platform: Platform, what: string): void {
  const host = hostPlatform();
  if (platform.os === host.os && platform.architecture === host.architecture) return;
  throw imageError(
    "PLATFORM_UNAVAILABLE",
    `${what} is for ${formatPlatform(platform)}, this machine runs ${formatPlatform(host)}`,
  );
}

/**
 * Picks the item for a platform: first one with the same variant, then one whose variant is left open,
 * then any of the architecture.
 */
export function selectPlatform<T>(
  items: readonly T[],
  wanted: Platform,
  platformOf: (item: T) => Platform | undefined,
): T | undefined {
  const fits = items.filter((item) => {
    const has = platformOf(item);
    return has !== undefined && has.os === wanted.os && has.architecture === wanted.architecture;
  });
  const variant = (item: T): string => platformOf(item)?.variant ?? "";
  return (
    fits.find((item) => variant(item) === wanted.variant) ??
    fits.find((item) => variant(item) === "") ??
    (wanted.variant === "" ? fits[0] : undefined)
  );
}

/** Brings a platform to Go's spelling; arm64's only variant, v8, is left out as containerd does. */
export function normalize(platform: Platform): Platform {
  const os = platform.os.toLowerCase();
  const given = platform.architecture.toLowerCase();
  const architecture = ARCHITECTURE_ALIASES.get(given) ?? given;
  const variant = platform.variant.toLowerCase();
  const implied =
    (architecture === "arm64" && variant === "v8") ||
    (architecture === "amd64" && variant === "v1");
  return { os, architecture, variant: implied ? "" : variant };
}
