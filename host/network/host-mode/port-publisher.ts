/** Ports of the host that a machine has for as long as it listens there: a passt for each. */

import { chmodSync, chownSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DvmError } from "../../errors.ts";
import { reservePorts } from "../port-mapping.ts";
import type { GuestListener, PortFollower, PublishedPort } from "../prepared-network.ts";
import { findPasst, NOBODY, type Passt, type PasstOptions, startPasst } from "../user/passt.ts";
import type { PortRoute } from "./port-routes.ts";
import type { SwitchControl } from "./port-switch.ts";

export interface PortPublisherOptions {
  readonly control: Pick<SwitchControl, "setRoutes" | typeof Symbol.dispose>;
  /** the routes there are already */
  readonly routes: readonly PortRoute[];
  /** folder of the machine's passts */
  readonly folder: string;
  readonly passt: Omit<PasstOptions, "runDirectory" | "ports">;
}

interface Published {
  readonly port: PublishedPort;
  readonly path: string;
  readonly passt: Passt;
}

/** Ports that are published at a time: each is a process. */
const MAX_PORTS = 128;
/** A port that the host has itself is tried again after so many looks. */
const PATIENCE = 10;

export class PortPublisher implements PortFollower, Disposable {
  readonly #options: PortPublisherOptions;
  readonly #published = new Map<string, Published>();
  readonly #refused = new Map<string, number>();
  #count = 0;
  #ended = false;

  constructor(options: PortPublisherOptions) {
    this.#options = options;
    for (const { path, ports } of options.routes) this.#take(path, ports);
  }

  get held(): number[] {
    return this.ports.flatMap(({ hostPort, protocol }) => (protocol === "tcp" ? [hostPort] : []));
  }

  get ports(): PublishedPort[] {
    return [...this.#published.values()].map(({ port }) => port);
  }

  async follow(listeners: readonly GuestListener[]): Promise<{
    readonly isChanged: boolean;
    readonly refusals: readonly string[];
  }> {
    const there = new Map(listeners.map((each) => [keyOf(each), each]));
    const gone = [...this.#published].filter(([key]) => !there.has(key));
    for (const key of this.#refused.keys()) if (!there.has(key)) this.#refused.delete(key);
    const refusals: string[] = [];
    let isChanged = gone.length > 0;
    for (const [key, { passt }] of gone) {
      this.#published.delete(key);
      passt[Symbol.dispose]();
    }
    for (const [key, { protocol, port, waits }] of there) {
      if (!waits || this.#published.has(key) || !this.#isDue(key)) continue;
      if (this.#ended || this.#published.size >= MAX_PORTS) break;
      const wanted = { hostIp: "0.0.0.0", hostPort: port, containerPort: port, protocol };
      const refusal = await this.#publish(key, wanted);
      if (refusal === undefined) isChanged = true;
      else if (!this.#refused.has(key)) refusals.push(refusal);
      if (refusal !== undefined) this.#refused.set(key, PATIENCE);
    }
    if (isChanged && !this.#ended) await this.#tell();
    return { isChanged, refusals };
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#options.control[Symbol.dispose]();
    for (const { passt } of this.#published.values()) passt[Symbol.dispose]();
  }

  release(): void {
    this.#ended = true;
    this.#options.control[Symbol.dispose]();
  }

  #isDue(key: string): boolean {
    const patience = this.#refused.get(key) ?? 0;
    if (patience > 1) this.#refused.set(key, patience - 1);
    return patience <= 1;
  }

  /** @returns why the host refuses */
  async #publish(key: string, port: PublishedPort): Promise<string | undefined> {
    const { folder, passt: options } = this.#options;
    const { hostPort, protocol } = port;
    try {
      // passt says nothing of a port that it does not get
      const request = {
        containerPort: hostPort,
        hostPorts: [hostPort, hostPort],
        protocol,
      } as const;
      await using _reserved = await reservePorts([request]);
    } catch (error) {
      if (error instanceof DvmError) return error.message;
      throw error;
    }
    const name = this.#freeName();
    const runDirectory = join(folder, name);
    makeFolder(runDirectory);
    const passt = await startPasst({ ...options, runDirectory, ports: [port] });
    if (this.#ended) {
      // nobody would end it any more
      passt[Symbol.dispose]();
      return "the machine has ended";
    }
    this.#published.set(key, { port, path: socketIn(name), passt });
    return undefined;
  }

  #freeName(): string {
    for (;;) {
      const name = `p${this.#count++}`;
      if (!existsSync(join(this.#options.folder, name))) return name;
    }
  }

  #tell(): Promise<void> {
    const routes = [...this.#published].map(([key, { path }]) => ({ path, ports: [key] }));
    return this.#options.control.setRoutes(routes);
  }

  /** One that an earlier daemon has started. */
  #take(path: string, ports: readonly string[]): void {
    const [name = ""] = path.split("/");
    const passt = findPasst(join(this.#options.folder, name));
    for (const key of ports) {
      const [protocol, digits = ""] = key.split("/");
      const port = Number(digits);
      if ((protocol !== "tcp" && protocol !== "udp") || passt === undefined) continue;
      const published = {
        hostIp: "0.0.0.0",
        hostPort: port,
        containerPort: port,
        protocol,
      } as const;
      this.#published.set(key, { port: published, path, passt });
    }
  }
}

/** Folder that passt works in, beneath one that lets everybody through who knows its name. */
export function makeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { mode: 0o700 });
  if (process.getuid?.() !== 0) return;
  chownSync(path, NOBODY, NOBODY);
  chmodSync(path, 0o711);
}

/** Where passt listens in a folder that was made for it. */
export function socketIn(name: string): string {
  return join(name, "passt", "passt.sock");
}

function keyOf({ protocol, port }: Pick<GuestListener, "protocol" | "port">): string {
  return `${protocol}/${port}`;
}
