/** The filters that containers ask for, each compiled once. */

import { boundingSet } from "../capabilities.ts";
import { compileProfile } from "./compile-profile.ts";
import { defaultFilter } from "./default-filter.ts";
import { defaultProfile } from "./default-profile.ts";
import { parseProfile } from "./parse-profile.ts";
import type { ProfileContext } from "./profile.ts";

/** What seccomp(2) SECCOMP_SET_MODE_FILTER takes. */
export interface Filter {
  /** struct sock_filter[] */
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_* */
  readonly flags: number;
}

/** most compiled filters that are kept */
const MAX_KEPT = 16;

export class Filters {
  readonly #kernel: ProfileContext["kernel"];
  readonly #kept = new Map<string, Filter>();

  /** `kernel` is the running kernel's version, `[6, 1]` */
  constructor(kernel: ProfileContext["kernel"]) {
    this.#kernel = kernel;
    const usual = boundingSet({ add: [], drop: [], privileged: false });
    this.#kept.set(keyOf("default", usual), { program: defaultFilter(), flags: 0 });
  }

  /**
   * The filter for `profile`: `default`, `unconfined`, or Docker's JSON.
   *
   * @returns `undefined` for no filter
   * @throws ContainerError `SECCOMP_PROFILE`
   */
  get(profile: string, capabilities: ReadonlySet<string>): Filter | undefined {
    if (profile === "unconfined") return undefined;
    const key = keyOf(profile, capabilities);
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const parsed = profile === "default" ? defaultProfile() : parseProfile(profile);
    const program = compileProfile(parsed, { capabilities, kernel: this.#kernel });
    const filter = { program, flags: parsed.flags };
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(key, filter);
    return filter;
  }
}

function keyOf(profile: string, capabilities: ReadonlySet<string>): string {
  return `${[...capabilities].sort().join()} ${profile}`;
}
