/** The machine's end of the host's network: starts the process between hypervisor and passts, and tells it of ports. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { networkError } from "../errors.ts";
import { NOBODY } from "../user/passt.ts";
import type { PortRoute } from "./port-routes.ts";
import { CONTROL_SOCKET, type SwitchConfig } from "./switch-config.ts";

const MAIN = join(import.meta.dirname, "main.ts");
/** by this name whoever sweeps after a crash finds its machine */
const PROCESS_NAME = "net-filter";

/**
 * It listens once this returns, and ends with its hypervisor.
 *
 * @param folder where it works, and all sockets are
 * @throws DvmError `NETWORK_FAILED`
 */
export async function startSwitch(
  folder: string,
  told: Pick<SwitchConfig, "passt" | "greeting">,
): Promise<Disposable> {
  const config: SwitchConfig = {
    ...told,
    ...(process.getuid?.() === 0 ? { runAs: NOBODY } : {}),
  };
  const child = spawn(process.execPath, ["--no-warnings", MAIN], {
    argv0: join(folder, PROCESS_NAME),
    stdio: ["pipe", "pipe", "pipe"],
    // in a session of its own: it outlives us, and no terminal's signal reaches it
    detached: true,
    cwd: folder,
    env: {},
  });
  let complaints = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-1000);
  });
  child.stdin.on("error", () => {});
  child.stdin.end(JSON.stringify(config));
  const over = once(child, "exit").then(() => "over");
  const said = await Promise.race([once(child.stdout, "data").then(() => "ready"), over]);
  if (said === "over") {
    throw networkError("NETWORK_FAILED", `the network switch ended: ${complaints.trim()}`);
  }
  for (const stream of [child.stdout, child.stderr]) stream.destroy();
  child.unref();
  return { [Symbol.dispose]: () => void child.kill("SIGKILL") };
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
