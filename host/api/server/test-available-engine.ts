/** An engine that lacks some calls, made whole: the missing ones refuse. */

import { apiError } from "../docker/errors.ts";
import type { DaemonEngine } from "./daemon-engine.ts";

/** A call that is not there throws `UNSUPPORTED`, which the client gets as status 501. */
export function availableEngine(engine: Partial<DaemonEngine>): DaemonEngine {
  return availableCalls<DaemonEngine>(engine);
}

/** The same of a part of it. */
export function availableCalls<T extends object>(calls: Partial<T>): T {
  return new Proxy(calls, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value === "function") return value.bind(target);
      return () => {
        throw apiError("UNSUPPORTED", `${String(name)} is not supported by this engine yet`);
      };
    },
  }) as T;
}
