/** A card that programs of ours serve, which start while its machine does. */

import type { Socket } from "node:net";
import type { SpareCard } from "../prepared-network.ts";
import { StreamDoor } from "./stream-door.ts";

/**
 * Has a connection served. What it starts it gives to `keep`, which ends it with the card, or at once if that has
 * ended meanwhile.
 */
export type Serve = (connection: Promise<Socket>, keep: Keep) => Promise<void>;
type Keep = <Part extends ServedPart>(part: Part) => Part;

interface ServedPart extends Disposable {
  /** settles when what has been ended is no more. Absent: it is at once */
  readonly gone?: () => Promise<void>;
}

interface ServedCardOptions {
  /** whether to begin when somebody waits for it, and the machine has been told what to do meanwhile; else at once */
  readonly isQuick?: boolean;
}

export class ServedCard implements AsyncDisposable {
  /** where a hypervisor connects */
  readonly path: string;
  readonly #serve: Serve;
  readonly #isQuick: boolean;
  #parts = new DisposableStack();
  #ending: ServedPart[] = [];
  #begin: () => Promise<void> = async () => {};
  #served: Promise<void> | undefined;

  constructor(path: string, serve: Serve, { isQuick = false }: ServedCardOptions = {}) {
    this.path = path;
    this.#serve = serve;
    this.#isQuick = isQuick;
  }

  /** As `PreparedNetwork.connect`. */
  async connect([spare]: readonly SpareCard[] = []): Promise<void> {
    await this[Symbol.asyncDispose]();
    const parts = new DisposableStack();
    this.#parts = parts;
    const connection =
      spare?.kind === "stream"
        ? Promise.resolve(spare.connection)
        : parts.use(await StreamDoor.open(this.path)).connection;
    const keep: Keep = (part) => {
      if (parts.disposed) part[Symbol.dispose]();
      else parts.use(part);
      this.#ending.push(part);
      return part;
    };
    this.#begin = () => this.#serve(connection, keep);
    // whoever waits for it hears of its failure
    if (!this.#isQuick) this.settled().catch(() => {});
    const ended = (socket: Socket) => ({ [Symbol.dispose]: () => void socket.destroy() });
    connection.then(
      (socket) => keep(ended(socket)),
      () => {},
    );
  }

  /** As `PreparedNetwork.settled`. */
  settled(): Promise<void> {
    this.#served ??= this.#begin();
    return this.#served;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts.dispose();
    // what is being started comes to its end, too
    await this.#served?.catch(() => {});
    this.#served = undefined;
    this.#begin = async () => {};
    // the next who serves has the same ports and sockets
    await Promise.all(this.#ending.splice(0).map((part) => part.gone?.()));
  }
}
