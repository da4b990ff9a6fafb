/** Finds the route of a request. */

import { apiError } from "../docker/errors.ts";
import type { ApiCall } from "./api-call.ts";

export interface Route {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** `{id}` is one part of the path, `{name...}` one or more */
  readonly pattern: string;
  /** whether the connection may become a stream of the container's */
  readonly hijacks?: boolean;
  readonly handle: (call: ApiCall) => Promise<void>;
}

export interface FoundRoute {
  readonly route: Route;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Longest path that is looked at, in characters. */
const MAX_PATH = 4096;

export class Router {
  readonly #routes: readonly { readonly route: Route; readonly expression: RegExp }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, expression: compile(route.pattern) }));
  }

  /** @param path without its version and query @throws DvmError `NO_SUCH_PAGE`, `BAD_REQUEST` */
  find(method: string, path: string): FoundRoute {
    if (path.length <= MAX_PATH) {
      for (const { route, expression } of this.#routes) {
        const match = route.method === method ? expression.exec(path) : null;
        if (match !== null) return { route, parameters: decodeAll(match.groups ?? {}) };
      }
    }
    throw apiError("NO_SUCH_PAGE", "page not found");
  }
}

function compile(pattern: string): RegExp {
  const source = pattern
    .replaceAll(".", "\\.")
    .replace(/\{(\w+)\\\.\\\.\\\.\}/g, "(?<$1>.+)")
    .replace(/\{(\w+)\}/g, "(?<$1>[^/]+)");
  return new RegExp(`^${source}$`);
}

function decodeAll(groups: Readonly<Record<string, string>>): Record<string, string> {
  try {
    return Object.fromEntries(
      Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]),
    );
  } catch {
    throw apiError("BAD_REQUEST", "invalid URL escape in the path");
  }
}
