/** Parts of Docker's API that are not served: a sentence says more than "page not found". */

import { apiError } from "../../docker/errors.ts";
import type { Route } from "../router.ts";

const PARTS: readonly (readonly [path: string, what: string])[] = [
  ["/build", "building images"],
  ["/build/{rest...}", "building images"],
  ["/session", "building images"],
  ["/plugins", "plugins"],
  ["/plugins/{rest...}", "plugins"],
  ["/images/search", "searching a registry"],
  ["/containers/{id}/attach/ws", "attaching by WebSocket"],
  ["/swarm", "swarm mode"],
  ["/swarm/{rest...}", "swarm mode"],
  ["/services", "swarm mode"],
  ["/nodes", "swarm mode"],
];

const METHODS = ["GET", "POST", "PUT", "DELETE"] as const;

export const unsupportedRoutes: readonly Route[] = PARTS.flatMap(([pattern, what]) =>
  METHODS.map((method) => ({
    method,
    pattern,
    handle: async () => {
      throw apiError("UNSUPPORTED", `${what}: not supported by dvm`);
    },
  })),
);
