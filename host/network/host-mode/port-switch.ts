/** The machine's end of the host's network: starts the process between hypervisor and passts, and tells it of ports. */

import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { networkError } from "../errors.ts";
import { NOBODY } from "../user/passt.ts";
import { startServer } from "../user/start-server.ts";
import type { PortRoute } from "./port-routes.ts";
import { CONTROL_SOCKET, type SwitchConfig } from "./switch-config.ts";

const MAIN = join(import.meta.dirname, "main.ts");
/** by this name whoever sweeps after a crash finds its machine */
const PROCESS_NAME = "net-filter";

interface ToldSwitch extends Pick<SwitchConfig, "passt" | "greeting"> {
  /** the hypervisor's, which is no more the caller's then */
  readonly connection: Socket;
}

/**
 * It serves once this returns, and ends with its hypervisor.
 *
 * @param folder where it works, and all sockets are
 * @throws DvmError `NETWORK_FAILED`
 */
export function startSwitch(
  folder: string,
  { connection, ...told }: ToldSwitch,
): Promise<Disposable> {
  const config: SwitchConfig = {
    ...told,
    ...(process.getuid?.() === 0 ? { runAs: NOBODY } : {}),
  };
  return startServer({
    what: "the network switch",
    main: MAIN,
    processName: join(folder, PROCESS_NAME),
    cwd: folder,
    config,
    connection,
  });
}

/** A daemon's line to that process. */
export class SwitchControl implements Disposable {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  /** @returns the line, and the routes there are @throws Error when there is no such process */
  static async open(folder: string): Promise<{
    readonly control: SwitchControl;
    readonly routes: readonly PortRoute[];
  }> {
    const socket = createConnection(join(folder, CONTROL_SOCKET));
    await once(socket, "connect");
    socket.on("error", () => socket.destroy());
    const control = new SwitchControl(socket);
    return { control, routes: JSON.parse(await control.#next()) };
  }

  async setRoutes(routes: readonly PortRoute[]): Promise<void> {
    this.#socket.write(`${JSON.stringify(routes)}\n`);
    await this.#next();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #next(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw networkError("NETWORK_FAILED", "the network switch has ended");
    return value;
  }
}
