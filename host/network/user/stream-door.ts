/**
 * Where a hypervisor connects a card, before whoever carries its frames is there: what the guest sends waits in the
 * socket, and the connection is handed on to a program as it is.
 */

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { networkError } from "../errors.ts";

export class StreamDoor implements Disposable {
  readonly #server: Server;
  readonly #first = Promise.withResolvers<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    // one that nobody waits for any more
    this.#first.promise.catch(() => {});
    server.once("connection", (connection: Socket) => {
      server.close();
      connection.on("error", () => {});
      this.#first.resolve(connection);
    });
  }

  /** @param path of its socket, which must not exist */
  static async open(path: string): Promise<StreamDoor> {
    // none of what comes is read here
    const server = createServer({ pauseOnConnect: true });
    const door = new StreamDoor(server);
    server.listen({ path });
    await once(server, "listening");
    return door;
  }

  /** The hypervisor's connection; the taker's, once it is there. */
  get connection(): Promise<Socket> {
    return this.#first.promise;
  }

  /** Nobody comes in any more; who has come stays. */
  [Symbol.dispose](): void {
    this.#server.close();
    this.#first.reject(networkError("NETWORK_FAILED", "the machine has not connected its card"));
  }
}

/** Descriptor of a connection, for a child process that is to have it. @throws DvmError for one that has ended */
export function descriptorOf(connection: Socket): number {
  const { _handle } = connection as { readonly _handle?: { readonly fd?: unknown } };
  if (typeof _handle?.fd === "number" && _handle.fd >= 0) return _handle.fd;
  throw networkError("NETWORK_FAILED", "the machine's card is connected no more");
}
