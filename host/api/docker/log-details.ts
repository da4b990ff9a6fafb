/** What `docker logs --details` puts before each line: labels and variables that the log's options name. */

import type { DaemonContainerConfig } from "../../engine/daemon/model.ts";

/** `NAME=VALUE` each, by commas, as moby's daemon/logger writes them (ParseLogDetails reads them back). */
export function logDetails({ log, labels, env }: DaemonContainerConfig): string {
  const { labels: chosen = "", env: variables = "" } = log?.options ?? {};
  const values = new Map(Object.entries(labels));
  const environment = new Map(env.map((each) => splitOnce(each)));
  const found = [...pick(chosen, values), ...pick(variables, environment)];
  return found
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .toSorted()
    .join(",");
}

function pick(names: string, values: ReadonlyMap<string, string>): [string, string][] {
  return names.split(",").flatMap((name): [string, string][] => {
    const value = values.get(name);
    return value === undefined ? [] : [[name, value]];
  });
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
