/**
 * What dvm has changed on this host for its networks, in a folder of the network namespace's own: who is in which
 * network. It lies where a reboot takes it, as the devices and rules themselves do, and is the same for every data
 * root, for bridges and rules are.
 */

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { lockFile } from "../../sys/file-lock.ts";
import { type Endpoint, isEndpoint } from "./endpoint.ts";
import { isMachineThere } from "./machine-there.ts";

const STATE_ROOT = "/run/dvm/networks";
const ENDPOINT_SUFFIX = ".endpoint.json";
/** of those who have left, until what was made for them is taken away */
const LEFT_SUFFIX = ".left.json";
const FORWARDING_MARK = "forwarding-was-off";
const FORWARDING6_MARK = "forwarding6-was-off.json";

/** The state while nobody else may change it. */
export class HostState implements Disposable {
  readonly #folder: string;
  readonly #lock: Disposable;

  private constructor(folder: string, lock: Disposable) {
    this.#folder = folder;
    this.#lock = lock;
  }

  /** Waits for the others. */
  static async open(root: string = STATE_ROOT): Promise<HostState> {
    const folder = stateFolder(root);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return new HostState(folder, await lockFile(folder));
  }

  /**
   * The endpoints whose machines are there, those of them apart whose cards are in no network any more, and those that
   * have left, or whose machines are gone.
   */
  endpoints(): {
    readonly living: Endpoint[];
    readonly idle: Endpoint[];
    readonly dead: Endpoint[];
  } {
    const all = readEndpoints(this.#folder);
    const left = readEndpoints(this.#folder, LEFT_SUFFIX);
    const there = all.filter(({ runDirectory }) => isMachineThere(runDirectory));
    return {
      living: there.filter(isConnected),
      idle: there.filter((each) => !isConnected(each)),
      dead: [...left, ...all.filter((each) => !there.includes(each))],
    };
  }

  write(endpoint: Endpoint): void {
    const path = this.#path(endpoint);
    writeFileSync(`${path}.new`, JSON.stringify(endpoint), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  /** It is no more: among the dead until nothing of it is there and it is forgotten. */
  leave(endpoint: Endpoint): void {
    const path = this.#path(endpoint);
    if (existsSync(path)) renameSync(path, join(this.#folder, `${endpoint.tap}${LEFT_SUFFIX}`));
  }

  /** One that has left, or its machine is gone, and of which nothing is there any more. */
  forget(endpoint: Endpoint): void {
    const path = join(this.#folder, `${endpoint.tap}${LEFT_SUFFIX}`);
    if (existsSync(path)) rmSync(path, { force: true });
    else rmSync(this.#path(endpoint), { force: true });
  }

  /** Whether dvm has turned forwarding on and is to turn it off again. */
  get forwardingIsOurs(): boolean {
    return existsSync(join(this.#folder, FORWARDING_MARK));
  }

  set forwardingIsOurs(value: boolean) {
    const path = join(this.#folder, FORWARDING_MARK);
    if (value) writeFileSync(path, "");
    else rmSync(path, { force: true });
  }

  /** The same of IPv6: the interfaces that were told to go on listening to routers; nothing when it is not ours. */
  get forwarding6IsOurs(): readonly string[] | undefined {
    const path = join(this.#folder, FORWARDING6_MARK);
    if (!existsSync(path)) return undefined;
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
  }

  set forwarding6IsOurs(listening: readonly string[] | undefined) {
    const path = join(this.#folder, FORWARDING6_MARK);
    if (listening !== undefined) writeFileSync(path, JSON.stringify(listening));
    else rmSync(path, { force: true });
  }

  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }

  #path({ tap }: Endpoint): string {
    return join(this.#folder, `${tap}${ENDPOINT_SUFFIX}`);
  }
}

/**
 * Notes that endpoints are no more, which takes no time and waits for nobody. What was made for them on the host is
 * there until somebody who holds the state takes it away: they are among the dead.
 *
 * @returns those that have left
 */
export function leaveEndpoints(
  isMeant: (endpoint: Endpoint) => boolean,
  root: string = STATE_ROOT,
): readonly Endpoint[] {
  const folder = stateFolder(root);
  const leaving = readEndpoints(folder).filter(isMeant);
  for (const { tap } of leaving) {
    renameSync(join(folder, `${tap}${ENDPOINT_SUFFIX}`), join(folder, `${tap}${LEFT_SUFFIX}`));
  }
  return leaving;
}

/** The endpoints as they are at this moment, for who only looks. */
export function lookAtEndpoints(root: string = STATE_ROOT): Endpoint[] {
  return readEndpoints(stateFolder(root)).filter(
    (each) => isConnected(each) && isMachineThere(each.runDirectory),
  );
}

/** Changes whenever somebody comes or goes, as finely as the kernel's clock tells. */
export function endpointsChange(root: string = STATE_ROOT): string {
  const stat = statSync(stateFolder(root), { bigint: true, throwIfNoEntry: false });
  return `${stat?.ino} ${stat?.mtimeNs}`;
}

function isConnected({ idle = false }: Endpoint): boolean {
  return !idle;
}

/** One for each network namespace: its inode is its name (namespaces(7)). */
function stateFolder(root: string): string {
  const [inode = "unknown"] = /\d+/.exec(readlinkSync("/proc/self/ns/net")) ?? [];
  return join(root, inode);
}

function readEndpoints(folder: string, suffix: string = ENDPOINT_SUFFIX): Endpoint[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(suffix))
    .flatMap((name) => {
      try {
        const value: unknown = JSON.parse(readFileSync(join(folder, name), "utf8"));
        return isEndpoint(value) ? [value] : [];
      } catch (error) {
        // one that has just gone, or a file that was cut short
        if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") {
          return [];
        }
        throw error;
      }
    });
}
