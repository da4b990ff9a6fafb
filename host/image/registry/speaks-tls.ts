/**
 * Whether a host speaks TLS, whoever it says it is. Nothing is sent to it, so that no authority has to be known: reading
 * them takes longer than all that a registry on this machine is asked for before the layers.
 */
import { connect, type TLSSocket } from "node:tls";
import { speaksNoTls } from "./registry-error.ts";

const TIMEOUT = 15_000;

/** @returns `undefined` where nothing that either of them answers came in time */
export function speaksTls({ hostname, port }: URL): Promise<boolean | undefined> {
  const host = hostname.replace(/^\[|\]$/g, "");
  const { promise, resolve } = Promise.withResolvers<boolean | undefined>();
  const socket: TLSSocket = connect({
    host,
    port: Number(port) || 443,
    ca: [],
    // Its certificate is checked when there is something to say to it.
    rejectUnauthorized: false,
    timeout: TIMEOUT,
  });
  socket.once("secureConnect", () => resolve(true));
  socket.once("timeout", () => resolve(undefined));
  socket.on("error", (error) => resolve(speaksNoTls(error) ? false : undefined));
  return promise.finally(() => socket.destroy());
}
