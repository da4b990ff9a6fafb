/** The environment of a process: what Docker puts there, then what the user gives. */

/** PATH of a process whose image and user give none (moby oci/defaults). */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface EnvironmentRequest {
  /** `NAME=value`, later ones outweigh earlier ones */
  readonly given: readonly string[];
  readonly hostname: string;
  /** home folder of the user */
  readonly home: string;
  readonly terminal: boolean;
}

/** The environment as `NAME=value`, each name once, in Docker's order. */
export function environment({ given, hostname, home, terminal }: EnvironmentRequest): string[] {
  const variables = new Map([
    ["PATH", DEFAULT_PATH],
    ["HOSTNAME", hostname],
  ]);
  if (terminal) variables.set("TERM", "xterm");
  for (const each of given) {
    const equals = each.indexOf("=");
    if (equals > 0) variables.set(each.slice(0, equals), each.slice(equals + 1));
  }
  if (!variables.has("HOME")) variables.set("HOME", home);
  return [...variables].map(([name, value]) => `${name}=${value}`);
}
